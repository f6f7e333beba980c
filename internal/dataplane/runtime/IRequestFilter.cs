using Gateway.Core.Router;

namespace Gateway.DataPlane.Runtime;

/// <summary>One policy of a route at run time. Built at snapshot compile; shared by all requests, so it holds no state of a request.</summary>
internal interface IRequestFilter
{
    /// <summary>Runs before the request is forwarded. True: it answered the request, or failed it, and nothing after it runs.</summary>
    ValueTask<bool> OnRequestAsync(RequestContext context);

    /// <summary>What it would do with the request, without doing any of it. For explanations and for the checks before an apply.</summary>
    FilterEffect Explain(in DescribedRequest request);
}

/// <summary>What a filter would do with a request.</summary>
/// <param name="Name">The filter as documents name it.</param>
/// <param name="Text">For a person, without full stop.</param>
internal sealed record FilterEffect(string Name, string Text)
{
    /// <summary>The status it answers with; null when the request goes on.</summary>
    public int? Status { get; init; }

    /// <summary>The header fields of that answer that tell it from others.</summary>
    public IReadOnlyList<KeyValuePair<string, string>> Headers { get; init; } = [];
}
