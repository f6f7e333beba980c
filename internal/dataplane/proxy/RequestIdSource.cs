using System.Buffers;
using System.Security.Cryptography;
using Gateway.DataPlane.Obs;

namespace Gateway.DataPlane.Proxy;

/// <summary>
/// Request ids of 32 hexadecimal digits: a random half that names the process, and a counter scrambled by a bijection, so that no two are
/// equal within a process and neighbours share no prefix that a sharded store would gather in one place. Not secret. Thread safe.
/// </summary>
internal sealed class RequestIdSource
{
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
    public RequestId Choose(string? offered) => offered is not null && IsWellFormed(offered) ? new(offered) : Next();

    public RequestId Next() => new(_process, Scramble(Interlocked.Increment(ref _count)));

    internal static bool IsWellFormed(ReadOnlySpan<char> id) => id.Length is > 0 and <= RequestId.MaxLength && !id.ContainsAnyExcept(WellFormed);

    // The finalizer of splitmix64 (Steele, Lea, Flood 2014): one to one.
    private static ulong Scramble(ulong x)
    {
        x = (x ^ (x >> 30)) * 0xBF58476D1CE4E5B9;
        x = (x ^ (x >> 27)) * 0x94D049BB133111EB;
        return x ^ (x >> 31);
    }
}
