using System.Net;

namespace Gateway.Core.ProxyProto;

/// <summary>
/// The header that a balancer sends before the first byte of a connection it forwards, to say whose connection it is: the PROXY protocol of
/// HAProxy (proxy-protocol.txt), version 1 in text and version 2 in binary. A pure function of the bytes; strict, as the spec asks of
/// receivers, and bounded.
/// </summary>
/// <param name="Source">Who connected to the sender; null when the header does not say: the connection's own addresses then stand.</param>
/// <param name="Destination">The sender's address that was connected to; null together with <paramref name="Source"/>.</param>
/// <param name="IsLocal">The sender's own connection, a health check for example (version 2's LOCAL): nobody is forwarded.</param>
/// <param name="IsUnix">The client came to the sender over a Unix socket (version 2): it has no address.</param>
/// <param name="Length">Bytes of the header; what follows belongs to the protocol carried.</param>
public readonly record struct ProxyHeader(IPEndPoint? Source, IPEndPoint? Destination, bool IsLocal, bool IsUnix, int Length)
{
    /// <summary>The longest header accepted, with its extensions (nginx's bound). The longest of version 1 is 107 by the spec.</summary>
    public const int MaxLength = 4096;

    /// <summary>Parses a header at the start of <paramref name="bytes"/>. After <see cref="ProxyHeaderStatus.NeedMore"/>, call again with more; nothing is asked for beyond <see cref="MaxLength"/>.</summary>
    public static ProxyHeaderStatus Parse(ReadOnlySpan<byte> bytes, out ProxyHeader header)
    {
        header = default;
        if (bytes.IsEmpty) return ProxyHeaderStatus.NeedMore;
        return bytes[0] == ProxyText.Signature[0] ? ProxyText.Parse(bytes, out header) : ProxyBinary.Parse(bytes, out header);
    }

    /// <summary>Compares as much as is there; null when all of the signature is.</summary>
    internal static ProxyHeaderStatus? Recognise(ReadOnlySpan<byte> bytes, ReadOnlySpan<byte> signature)
    {
        int compared = Math.Min(bytes.Length, signature.Length);
        if (!bytes[..compared].SequenceEqual(signature[..compared])) return ProxyHeaderStatus.Absent;
        return compared < signature.Length ? ProxyHeaderStatus.NeedMore : null;
    }
}
