using System.Buffers;
using System.Numerics;

namespace Gateway.DataPlane.Transport;

/// <summary>
/// Buffers for bytes on their way, most of them kept on the thread of an event loop without a lock, the last returned first: what is rented
/// next is what the processor's cache still has. The shared pool keeps one array of a size per thread, which 64 requests in flight
/// exhaust at once. Lengths are powers of two, so that an array may be returned anywhere. Thread safe, for each thread has its own.
/// </summary>
internal static class LoopBuffers
{
    private const int SmallestBits = 12;
    private const int LargestBits = 17;

    // Of each size, by bytes: enough for the busiest loop's moment, little enough to forget about.
    private const int KeptBytes = 4 * 1024 * 1024;

    [ThreadStatic]
    private static Stacks? _ofThread;

    /// <summary>At least <paramref name="size"/> bytes with unknown content.</summary>
    public static byte[] Rent(int size)
    {
        byte[] buffer = Take(size);
        LeakTracker.Running?.Taken(buffer);
        return buffer;
    }

    private static byte[] Take(int size)
    {
        if (_ofThread is not { } stacks || size > 1 << LargestBits) return ArrayPool<byte>.Shared.Rent(size);
        int index = Index(size);
        ref Stack stack = ref stacks.BySize[index];
        if (stack.Count == 0) return ArrayPool<byte>.Shared.Rent(1 << (index + SmallestBits));
        byte[] buffer = stack.Kept[--stack.Count]!;
        if (stack.Count < stack.Lowest) stack.Lowest = stack.Count;
        return buffer;
    }

    public static void Return(byte[] buffer)
    {
        LeakTracker.Running?.GivenBack(buffer);
        if (_ofThread is { } stacks && buffer.Length is >= 1 << SmallestBits and <= 1 << LargestBits)
        {
            ref Stack stack = ref stacks.BySize[Index(buffer.Length)];
            if (stack.Count < stack.Kept.Length)
            {
                stack.Kept[stack.Count++] = buffer;
                return;
            }
        }
        ArrayPool<byte>.Shared.Return(buffer);
    }

    /// <summary>This thread is a loop's from here on.</summary>
    public static void Attach() => _ofThread = new Stacks();

    /// <summary>Gives the shared pool half of what was not needed since the last call. By the loop, now and then.</summary>
    public static void Trim()
    {
        if (_ofThread is not { } stacks) return;
        foreach (ref Stack stack in stacks.BySize.AsSpan())
        {
            // The oldest lie at the bottom, but any will do: take from the top and leave the order alone.
            for (int spare = (stack.Lowest + 1) / 2; spare > 0; spare--)
            {
                ArrayPool<byte>.Shared.Return(stack.Kept[--stack.Count]!);
                stack.Kept[stack.Count] = null;
            }
            stack.Lowest = stack.Count;
        }
    }

    private static int Index(int size) => size <= 1 << SmallestBits ? 0 : BitOperations.Log2((uint)size - 1) + 1 - SmallestBits;

    private struct Stack
    {
        public byte[]?[] Kept;
        public int Count;

        /// <summary>The fewest that lay here since the last trim: so many were never needed.</summary>
        public int Lowest;
    }

    private sealed class Stacks
    {
        public readonly Stack[] BySize = new Stack[LargestBits - SmallestBits + 1];

        public Stacks()
        {
            for (int i = 0; i < BySize.Length; i++) BySize[i].Kept = new byte[]?[KeptBytes >> (i + SmallestBits)];
        }
    }
}
