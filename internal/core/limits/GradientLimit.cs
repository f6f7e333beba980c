using System.Runtime.InteropServices;

namespace Gateway.Core.Limits;

/// <summary>
/// A limit on concurrency that follows the latency (after Netflix's Gradient2 and Envoy's adaptive concurrency): as long as latency is near
/// what it is without queueing, the limit grows by its square root; when latency rises, the limit falls in proportion. What it is without
/// queueing is measured while the limit is not used up, and else, once in a while, with the limit halved for a moment. Thread safe;
/// recording takes no lock and allocates nothing.
/// </summary>
public sealed class GradientLimit
{
    // Netflix's rttTolerance and smoothing, and the least that a window must have to mean anything.
    private const double Tolerance = 1.5, Smoothing = 0.2;
    private const int MinSamples = 10, MinLimit = 4, Initial = 20;

    // Latency that is measured while the limit is not used up is no queueing of ours; it is taken over at this pace (lower ones at once).
    private const double BaselinePace = 0.1;

    // Windows in a row with the limit used up after which it is halved to measure: Envoy's 60 s at windows of a second.
    private const int ProbeEvery = 60;

    [StructLayout(LayoutKind.Explicit, Size = 192)]
    private struct Window
    {
        [FieldOffset(64)] public long Sum;
        [FieldOffset(72)] public long Count;
        [FieldOffset(80)] public long EndsAt;
        [FieldOffset(88)] public int MostInFlight;
        [FieldOffset(92)] public int Limit;
    }

    private enum Phase
    {
        Normal,
        Draining,
        Measuring,
    }

    private readonly long _length;
    private Window _window;

    // Written by whoever ends a window, one at a time.
    private Phase _phase;
    private double _limit = Initial, _baseline;
    private int _usedUp;

    /// <param name="windowTicks">A second, in the unit of the times and latencies.</param>
    public GradientLimit(long windowTicks)
    {
        _length = windowTicks;
        _window.Limit = Initial;
    }

    /// <summary>The limit now, before any upper bound.</summary>
    public int Limit => Volatile.Read(ref _window.Limit);

    /// <summary>The latency without queueing, as far as is known; 0 before anything is.</summary>
    public double Baseline => Volatile.Read(ref _baseline);

    /// <summary>Takes a latency into account.</summary>
    /// <param name="now">The present time.</param>
    /// <param name="latency">From the admission to the response's head, or to the timeout.</param>
    /// <param name="inFlight">How many had a slot.</param>
    /// <param name="max">The upper bound of the limit.</param>
    public void Record(long now, long latency, int inFlight, int max)
    {
        Interlocked.Add(ref _window.Sum, latency);
        long count = Interlocked.Increment(ref _window.Count);
        // A lost maximum is another one's, nearly as high.
        if (inFlight > Volatile.Read(ref _window.MostInFlight)) Volatile.Write(ref _window.MostInFlight, inFlight);
        long end = Volatile.Read(ref _window.EndsAt);
        if (now < end || count < MinSamples) return;
        // Claimed by one; nobody else may until the next end is written.
        if (Interlocked.CompareExchange(ref _window.EndsAt, long.MaxValue, end) != end) return;
        count = Interlocked.Exchange(ref _window.Count, 0);
        double mean = Math.Max(1, (double)Interlocked.Exchange(ref _window.Sum, 0) / Math.Max(count, 1));
        int most = Interlocked.Exchange(ref _window.MostInFlight, 0);
        // The first window has begun with the process.
        if (end != 0) Update(mean, most, max);
        Volatile.Write(ref _window.EndsAt, now + _length);
    }

    private void Update(double mean, int most, int max)
    {
        bool usedUp = most * 2 >= Math.Min(_limit, max);
        switch (_phase)
        {
            case Phase.Draining:
                // What was admitted before the halving has ended by now.
                _phase = Phase.Measuring;
                return;
            case Phase.Measuring:
                _phase = Phase.Normal;
                Volatile.Write(ref _baseline, mean);
                Publish(_limit);
                return;
        }
        if (_baseline == 0 || mean < _baseline) Volatile.Write(ref _baseline, mean);
        else if (!usedUp) Volatile.Write(ref _baseline, _baseline + ((mean - _baseline) * BaselinePace));
        // A limit that nobody comes near says nothing.
        if (!usedUp)
        {
            _usedUp = 0;
            return;
        }
        double gradient = Math.Clamp(Tolerance * _baseline / mean, 0.5, 1);
        double target = (_limit * gradient) + Math.Sqrt(_limit);
        _limit = Math.Clamp((_limit * (1 - Smoothing)) + (target * Smoothing), Math.Min(MinLimit, max), max);
        if (++_usedUp < ProbeEvery)
        {
            Publish(_limit);
            return;
        }
        _usedUp = 0;
        _phase = Phase.Draining;
        Publish(Math.Max(_limit / 2, MinLimit));
    }

    private void Publish(double limit) => Volatile.Write(ref _window.Limit, (int)limit);
}
