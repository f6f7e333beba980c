using System.Buffers.Binary;
using System.Net;

namespace Gateway.Core.ProxyProto;

/// <summary>
/// Version 2 (section 2.2): 12 bytes of signature, version and command, family and transport, the length of the rest, the addresses, and
/// extensions (TLVs), which are skipped.
/// </summary>
internal static class ProxyBinary
{
    private const int FixedLength = 16;

    private const int CommandLocal = 0, CommandProxy = 1;
    private const int FamilyUnspecified = 0, FamilyV4 = 1, FamilyV6 = 2, FamilyUnix = 3;
    private const int TransportStream = 1, TransportDatagram = 2;

    public static ReadOnlySpan<byte> Signature => "\r\n\r\n\0\r\nQUIT\n"u8;

    public static ProxyHeaderStatus Parse(ReadOnlySpan<byte> bytes, out ProxyHeader header)
    {
        header = default;
        if (ProxyHeader.Recognise(bytes, Signature) is { } early) return early;
        // Refused at the first byte that is wrong: a peer that is no balancer is not waited for.
        if (bytes.Length < 13) return ProxyHeaderStatus.NeedMore;
        int command = bytes[12] & 0xF;
        if (bytes[12] >> 4 != 2 || command is not (CommandLocal or CommandProxy)) return ProxyHeaderStatus.Malformed;
        if (bytes.Length < 14) return ProxyHeaderStatus.NeedMore;
        int family = bytes[13] >> 4, transport = bytes[13] & 0xF;
        // What a LOCAL header says of addresses is to be discarded, its family too.
        if (command == CommandProxy && (family > FamilyUnix || transport > TransportDatagram)) return ProxyHeaderStatus.Malformed;
        if (bytes.Length < FixedLength) return ProxyHeaderStatus.NeedMore;
        int rest = BinaryPrimitives.ReadUInt16BigEndian(bytes[14..]);
        int length = FixedLength + rest;
        if (length > ProxyHeader.MaxLength || (command == CommandProxy && rest < AddressLength(family))) return ProxyHeaderStatus.Malformed;
        if (bytes.Length < length) return ProxyHeaderStatus.NeedMore;

        header = new ProxyHeader(null, null, IsLocal: command == CommandLocal, IsUnix: false, length);
        // Of anything but a stream, and of a transport that the sender could not name, the spec lets the receiver keep the real addresses.
        if (command == CommandLocal || transport != TransportStream || family == FamilyUnspecified) return ProxyHeaderStatus.Complete;
        if (family == FamilyUnix)
        {
            header = header with { IsUnix = true };
            return ProxyHeaderStatus.Complete;
        }
        int size = family == FamilyV4 ? 4 : 16;
        ReadOnlySpan<byte> addresses = bytes.Slice(FixedLength, 2 * size + 4);
        header = header with
        {
            Source = EndPoint(addresses[..size], addresses[(2 * size)..]),
            Destination = EndPoint(addresses.Slice(size, size), addresses[(2 * size + 2)..]),
        };
        return ProxyHeaderStatus.Complete;
    }

    private static int AddressLength(int family) => family switch
    {
        FamilyV4 => 12,
        FamilyV6 => 36,
        FamilyUnix => 216,
        _ => 0,
    };

    private static IPEndPoint EndPoint(ReadOnlySpan<byte> address, ReadOnlySpan<byte> port)
    {
        var ip = new IPAddress(address);
        return new IPEndPoint(ip.IsIPv4MappedToIPv6 ? ip.MapToIPv4() : ip, BinaryPrimitives.ReadUInt16BigEndian(port));
    }
}
