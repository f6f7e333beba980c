using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;

namespace Gateway.Core.Limits;

/// <summary>
/// Counts holders of something shared by many cores without one contended word: entries and exits are counted apart, striped by processor.
/// Thread safe. <see cref="Held"/> never reads lower than the number of holders that hold for the whole read: exits are summed before
/// entries, and each exit that was seen had its entry earlier.
/// </summary>
public sealed class LeaseCounter
{
    [StructLayout(LayoutKind.Explicit, Size = 128)]
    private struct Stripe
    {
        [FieldOffset(0)] public long Entered;
        [FieldOffset(8)] public long Left;
    }

    private static readonly int Mask = (int)System.Numerics.BitOperations.RoundUpToPowerOf2((uint)Environment.ProcessorCount) - 1;
    private readonly Stripe[] _stripes = new Stripe[Mask + 1];

    /// <summary>A full fence, so what is read after it is read after the entry is visible.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public void Enter() => Interlocked.Increment(ref _stripes[Thread.GetCurrentProcessorId() & Mask].Entered);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public void Leave() => Interlocked.Increment(ref _stripes[Thread.GetCurrentProcessorId() & Mask].Left);

    public long Held
    {
        get
        {
            long left = 0, entered = 0;
            foreach (ref Stripe stripe in _stripes.AsSpan()) left += Volatile.Read(ref stripe.Left);
            Interlocked.MemoryBarrier();
            foreach (ref Stripe stripe in _stripes.AsSpan()) entered += Volatile.Read(ref stripe.Entered);
            return entered - left;
        }
    }
}
