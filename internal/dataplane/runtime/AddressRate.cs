using System.Buffers.Binary;
using System.Net;
using System.Net.Sockets;
using Gateway.Core.Limits;

namespace Gateway.DataPlane.Runtime;

/// <summary>
/// How often each client address may do something.
/// The table outlives the snapshots. Thread safe; allocates nothing.
/// </summary>
internal sealed class AddressRate(RateTable table, Rate rate, TimeProvider time)
{
    /// <summary>Addresses that are remembered for one limit of one listener; 1 MiB.</summary>
    public const int Capacity = 65_536;

    /// <param name="address">Null for a client without one, on a Unix socket: it is not limited.</param>
    /// <param name="wait">When to come again, when it is too soon.</param>
    public bool TryTake(IPAddress? address, out TimeSpan wait)
    {
        wait = TimeSpan.Zero;
        if (address is null || table.TryTake(KeyOf(address), time.GetTimestamp(), rate, out long ticks)) return true;
        wait = TimeSpan.FromSeconds((double)ticks / time.TimestampFrequency);
        return false;
    }

    /// <summary>
    /// Who a client is, by its address: an IPv6 client by its network of 64 bits, which is what one client is given; on a link, where all
    /// have the same network, by the rest.
    /// </summary>
    internal static ulong KeyOf(IPAddress address)
    {
        Span<byte> bytes = stackalloc byte[16];
        address.TryWriteBytes(bytes, out _);
        if (address.AddressFamily == AddressFamily.InterNetwork) return BinaryPrimitives.ReadUInt32BigEndian(bytes);
        // The same client, whether it came to a dual-stack socket or to an IPv4 one.
        if (address.IsIPv4MappedToIPv6) return BinaryPrimitives.ReadUInt32BigEndian(bytes[12..]);
        return BinaryPrimitives.ReadUInt64BigEndian(address.IsIPv6LinkLocal ? bytes[8..] : bytes);
    }
}
