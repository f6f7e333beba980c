namespace Gateway.Core.Http1;

/// <summary>One field line inside the buffer that was parsed: offsets, not copies. The value is without surrounding white space.</summary>
public struct HeaderField
{
    public int NameStart;
    public int NameLength;
    public int ValueStart;
    public int ValueLength;
    public FieldKind Kind;

    public readonly ReadOnlySpan<byte> Name(ReadOnlySpan<byte> head) => head.Slice(NameStart, NameLength);

    public readonly ReadOnlySpan<byte> Value(ReadOnlySpan<byte> head) => head.Slice(ValueStart, ValueLength);
}

/// <summary>The fields that concern the connection or the framing of the message, and so are not simply passed on.</summary>
public enum FieldKind : byte
{
    /// <summary>End to end.</summary>
    Other,
    Connection,
    KeepAlive,
    ProxyConnection,
    ProxyAuthenticate,
    TE,
    Trailer,
    TransferEncoding,
    ContentLength,
    Upgrade,

    /// <summary>Named by a Connection field, so it belongs to this hop (RFC 9110 section 7.6.1).</summary>
    NamedByConnection,
}
