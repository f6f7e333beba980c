namespace Gateway.DataPlane.Runtime;

/// <summary>One policy of a route at run time. Built at snapshot compile; shared by all requests, so it holds no state of a request.</summary>
internal interface IRequestFilter
{
    /// <summary>Runs before the request is forwarded. True: it answered the request, or failed it, and nothing after it runs.</summary>
    ValueTask<bool> OnRequestAsync(RequestContext context);
}
