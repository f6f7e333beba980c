using System.Buffers.Binary;
using System.Net;
using System.Net.Sockets;
using System.Text;

namespace Gateway.DataPlane.Transport;

/// <summary>Between .NET's end points and the kernel's sockaddr. An IPv4 address that came through a dual-stack socket is given as IPv4.</summary>
internal static unsafe class SocketAddress
{
    /// <summary>Large enough for every family written or read here (sockaddr_un: 110).</summary>
    public const int MaxLength = 128;

    /// <summary>Writes the address; returns its length, and its family.</summary>
    public static int Write(EndPoint endPoint, Span<byte> address, out int family)
    {
        address[..MaxLength].Clear();
        switch (endPoint)
        {
            case IPEndPoint { AddressFamily: AddressFamily.InterNetwork } v4:
                family = Libc.AfInet;
                address[0] = Libc.AfInet;
                BinaryPrimitives.WriteUInt16BigEndian(address[2..], (ushort)v4.Port);
                _ = v4.Address.TryWriteBytes(address[4..], out _);
                return 16;
            case IPEndPoint v6:
                family = Libc.AfInet6;
                address[0] = Libc.AfInet6;
                BinaryPrimitives.WriteUInt16BigEndian(address[2..], (ushort)v6.Port);
                _ = v6.Address.TryWriteBytes(address[8..], out _);
                BinaryPrimitives.WriteUInt32LittleEndian(address[24..], (uint)v6.Address.ScopeId);
                return 28;
            case UnixDomainSocketEndPoint unix:
                family = Libc.AfUnix;
                address[0] = Libc.AfUnix;
                int length = Encoding.UTF8.GetBytes(unix.ToString()!, address.Slice(2, 107));
                return 2 + length + 1;
            default:
                throw new NotSupportedException($"an address of type {endPoint.GetType().Name} cannot be listened on");
        }
    }

    /// <summary>Null for an unnamed peer (a Unix socket's client).</summary>
    public static EndPoint? Read(ReadOnlySpan<byte> address)
    {
        switch (address[0])
        {
            case Libc.AfInet:
                return new IPEndPoint(new IPAddress(address.Slice(4, 4)), BinaryPrimitives.ReadUInt16BigEndian(address[2..]));
            case Libc.AfInet6:
                var ip = new IPAddress(address.Slice(8, 16), BinaryPrimitives.ReadUInt32LittleEndian(address[24..]));
                return new IPEndPoint(ip.IsIPv4MappedToIPv6 ? ip.MapToIPv4() : ip, BinaryPrimitives.ReadUInt16BigEndian(address[2..]));
            default:
                return null;
        }
    }

    public static EndPoint? LocalOf(int fd)
    {
        Span<byte> address = stackalloc byte[MaxLength];
        int length = MaxLength;
        fixed (byte* start = address)
        {
            return fd >= 0 && Libc.GetSocketName(fd, start, &length) == 0 ? Read(address) : null;
        }
    }
}
