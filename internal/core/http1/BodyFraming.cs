namespace Gateway.Core.Http1;

/// <summary>How the end of a body is found.</summary>
public enum BodyKind : byte
{
    None,
    Length,
    Chunked,
    UntilClose,

    /// <summary>The connection is a tunnel from here on.</summary>
    Tunnel,
}

/// <summary>The length of a response's body (RFC 9112 section 6.3).</summary>
public readonly record struct BodyFraming(BodyKind Kind, long Length)
{
    public static BodyFraming OfResponse(in ResponseHead head, bool toHead, bool toConnect)
    {
        if (head.Status == 101 || (toConnect && head.Status / 100 == 2)) return new(BodyKind.Tunnel, 0);
        if (toHead || head.Status is < 200 or 204 or 304) return new(BodyKind.None, 0);
        if (head.Facts.Chunked) return new(BodyKind.Chunked, -1);
        if (head.Facts.ContentLength >= 0) return new(BodyKind.Length, head.Facts.ContentLength);
        return new(BodyKind.UntilClose, -1);
    }
}
