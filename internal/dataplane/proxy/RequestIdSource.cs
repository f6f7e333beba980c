using System.Buffers;
using System.Buffers.Binary;
using System.Security.Cryptography;

namespace Gateway.DataPlane.Proxy;

/// <summary>
/// Request ids of 32 hexadecimal digits: a random half that names the process, and a counter scrambled by a bijection, so that no two are
/// equal within a process and neighbours share no prefix that a sharded store would gather in one place. Not secret. Thread safe.
/// </summary>
internal sealed class RequestIdSource
{
    // As long as the longest in use (Envoy's and Heroku's are UUIDs, AWS's trace ids have 74 characters), with room to spare.
    private const int MaxLength = 128;
    private static readonly SearchValues<char> WellFormed =
        SearchValues.Create("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_.~:=+/@");

    private readonly ulong _process;
    private ulong _count;

    public RequestIdSource()
    {
        Span<byte> random = stackalloc byte[16];
        RandomNumberGenerator.Fill(random);
        _process = BitConverter.ToUInt64(random);
        _count = BitConverter.ToUInt64(random[8..]);
    }

    /// <summary>The client's id when it is one that can go into logs and headers as it is; else a new one.</summary>
    public string Choose(string? offered) => offered is not null && IsWellFormed(offered) ? offered : Next();

    public string Next() => string.Create(32, (_process, Scramble(Interlocked.Increment(ref _count))), static (text, id) =>
    {
        Span<byte> bytes = stackalloc byte[16];
        BinaryPrimitives.WriteUInt64BigEndian(bytes, id.Item1);
        BinaryPrimitives.WriteUInt64BigEndian(bytes[8..], id.Item2);
        _ = Convert.TryToHexStringLower(bytes, text, out _);
    });

    internal static bool IsWellFormed(ReadOnlySpan<char> id) => id.Length is > 0 and <= MaxLength && !id.ContainsAnyExcept(WellFormed);

    // The finalizer of splitmix64 (Steele, Lea, Flood 2014): one to one.
    private static ulong Scramble(ulong x)
    {
        x = (x ^ (x >> 30)) * 0xBF58476D1CE4E5B9;
        x = (x ^ (x >> 27)) * 0x94D049BB133111EB;
        return x ^ (x >> 31);
    }
}
