using System.Buffers.Binary;
using System.Runtime.InteropServices;

namespace Gateway.Core.Pool;

/// <summary>
/// A hash that is the same in every process, so that replicas of the gateway keep a key to the same endpoint: eight bytes at a time, each
/// multiplied to 128 bits and folded (the step of wyhash). Fast and well spread; not secret, and no defence against chosen keys.
/// </summary>
public static class StableHash
{
    // wyhash's first two constants: odd, with as many ones as zeros.
    private const ulong Seed = 0xa0761d6478bd642f;
    private const ulong Step = 0xe7037ed1a0b428db;

    /// <summary>Of the UTF-16 code units.</summary>
    public static ulong Of(ReadOnlySpan<char> text) => Of(MemoryMarshal.AsBytes(text));

    public static ulong Of(ReadOnlySpan<byte> bytes)
    {
        ulong hash = Fold(Seed ^ (ulong)bytes.Length, Step);
        while (bytes.Length >= 8)
        {
            hash = Fold(hash ^ BinaryPrimitives.ReadUInt64LittleEndian(bytes), Step);
            bytes = bytes[8..];
        }
        ulong rest = 0;
        for (int i = 0; i < bytes.Length; i++) rest |= (ulong)bytes[i] << (8 * i);
        return Finish(Fold(hash ^ rest, Seed));
    }

    /// <summary>Another hash, which has nothing in common with the first.</summary>
    public static ulong Of(ulong hash, ulong salt) => Finish(Fold(hash ^ Seed, salt ^ Step));

    // MurmurHash3's finish: each bit of the product comes to bear on all of the result, of which only some may be looked at.
    private static ulong Finish(ulong hash)
    {
        hash = (hash ^ (hash >> 33)) * 0xff51afd7ed558ccd;
        hash = (hash ^ (hash >> 33)) * 0xc4ceb9fe1a85ec53;
        return hash ^ (hash >> 33);
    }

    private static ulong Fold(ulong a, ulong b) => Math.BigMul(a, b, out ulong low) ^ low;
}
