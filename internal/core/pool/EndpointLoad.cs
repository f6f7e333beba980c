using System.Runtime.InteropServices;

namespace Gateway.Core.Pool;

/// <summary>How busy and how slow an endpoint is. Lives as long as the endpoint, across applies. Thread safe.</summary>
public sealed class EndpointLoad
{
    /// <summary>Over which a latency loses all but 1/e of its weight: Finagle's default for peak EWMA.</summary>
    public static readonly TimeSpan Decay = TimeSpan.FromSeconds(10);

    // Alone on its cache line: every request writes it.
    [StructLayout(LayoutKind.Explicit, Size = 128)]
    private struct Padded
    {
        [FieldOffset(64)] public int Value;
    }

    private Padded _inFlight;
    private double _latency;
    private long _observedAt;

    /// <summary>Requests (to the end of the body) and upgraded connections on the endpoint now. Never negative.</summary>
    public int InFlight => Volatile.Read(ref _inFlight.Value);

    public void Begin() => Interlocked.Increment(ref _inFlight.Value);

    /// <summary><see cref="Begin"/>, unless there are <paramref name="most"/> already; 0 for no bound. True must be followed by one <see cref="End"/>.</summary>
    public bool TryBegin(int most)
    {
        if (most == 0)
        {
            Begin();
            return true;
        }
        int seen = InFlight;
        while (seen < most)
        {
            int was = Interlocked.CompareExchange(ref _inFlight.Value, seen + 1, seen);
            if (was == seen) return true;
            seen = was;
        }
        return false;
    }

    public void End() => Interlocked.Decrement(ref _inFlight.Value);

    /// <summary>
    /// Notes how long an answer took: a longer one than expected counts in full at once, a shorter one by the time since the last (peak
    /// EWMA). Latency and time are not written together: of two answers at once one may be weighed by the other's time, which the next mends.
    /// </summary>
    /// <param name="ticks">Of the stopwatch, as <paramref name="now"/>.</param>
    /// <param name="now">When it came.</param>
    public void Observe(long ticks, long now)
    {
        double before = Volatile.Read(ref _latency);
        double after = ticks;
        if (ticks < before)
        {
            double kept = Kept(now - Volatile.Read(ref _observedAt));
            after = before * kept + ticks * (1 - kept);
        }
        Volatile.Write(ref _observedAt, now);
        Volatile.Write(ref _latency, after);
    }

    /// <summary>Notes an answer that was not waited for any longer: it would have taken more than this, which says something only where less is expected.</summary>
    /// <inheritdoc cref="Observe" path="/param"/>
    public void ObserveAtLeast(long ticks, long now)
    {
        if (ticks > Latency(now)) Observe(ticks, now);
    }

    /// <summary>The expected latency in stopwatch ticks; 0 when nothing is known. It decays while no answer comes, so that a slow endpoint is tried again.</summary>
    public double Latency(long now)
    {
        double latency = Volatile.Read(ref _latency);
        return latency == 0 ? 0 : latency * Kept(now - Volatile.Read(ref _observedAt));
    }

    private static double Kept(long elapsed) => elapsed <= 0 ? 1 : Math.Exp(-elapsed / (Decay.TotalSeconds * System.Diagnostics.Stopwatch.Frequency));
}
