using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics.X86;

namespace Gateway.DataPlane.Transport;

/// <summary>
/// Asks the processor for memory before it is needed. With a thousand connections what one of them has to keep is out of the near caches when
/// its next event comes, and waiting for it, line by line, costs more than all that is done with it; but epoll tells of many events at once,
/// so that while one is dealt with, the next ones' memory can be on its way.
/// </summary>
internal static unsafe class CacheAhead
{
    /// <summary>Up to so many sockets on a loop all that they have stays in the caches, and asking for it would only cost.</summary>
    public const int FewSockets = 300;

    /// <summary>How many events ahead a socket is asked for, and what it refers to.</summary>
    public const int Far = 4, Near = 2;

    private const int Line = 64;

    public static bool IsSupported => Sse.IsSupported;

    /// <param name="of">May be moved meanwhile: then it was in vain, and no harm done.</param>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void Fetch(object of, int lines)
    {
        byte* start = (byte*)Unsafe.As<object, nint>(ref of);
        for (int i = 0; i < lines; i++) Sse.Prefetch0(start + (i * Line));
    }
}
