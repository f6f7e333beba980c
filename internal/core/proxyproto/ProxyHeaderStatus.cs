namespace Gateway.Core.ProxyProto;

/// <summary>How far <see cref="ProxyHeader.Parse"/> came.</summary>
public enum ProxyHeaderStatus : byte
{
    /// <summary>A whole header.</summary>
    Complete,

    /// <summary>The start of a header, or of its signature: give more bytes.</summary>
    NeedMore,

    /// <summary>The connection does not begin with a header of either version: the bytes are the protocol's that it carries.</summary>
    Absent,

    /// <summary>It begins with the signature of a header, and what follows is none.</summary>
    Malformed,
}
