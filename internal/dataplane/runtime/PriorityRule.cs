using Microsoft.Extensions.Primitives;

namespace Gateway.DataPlane.Runtime;

/// <summary>How important a route's requests are: 0, the most, to 7, the least (the urgencies of RFC 9218).</summary>
/// <param name="Header">The field that says so; null: none is looked at.</param>
/// <param name="Level">For a request whose field says nothing.</param>
internal sealed record PriorityRule(string? Header, int Level)
{
    /// <summary>RFC 9218's default for every request.</summary>
    public static readonly PriorityRule Default = new(null, 3);

    public int Of(RequestContext context)
    {
        if (Header is null) return Level;
        StringValues values = context.Downstream.RequestHeaders[Header];
        return values.Count == 0 ? Level : Read(values[0], Level);
    }

    /// <summary>A digit from 0 to 7, alone or as the member <c>u</c> of a dictionary such as <c>u=5, i</c>.</summary>
    internal static int Read(ReadOnlySpan<char> text, int otherwise)
    {
        foreach (Range range in text.Split(','))
        {
            ReadOnlySpan<char> member = text[range].Trim();
            if (member.StartsWith("u=", StringComparison.Ordinal)) member = member[2..];
            if (member is [>= '0' and <= '7' and var digit]) return digit - '0';
        }
        return otherwise;
    }
}
