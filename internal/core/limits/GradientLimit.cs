using System.Runtime.InteropServices;

namespace Gateway.Core.Limits;

/// <summary>
/// A limit on concurrency that follows the latency (after Netflix's Gradient2 and Envoy's adaptive concurrency). As long as latency is near
/// what it is without queueing and the limit is what holds requests back, it doubles, as TCP's slow start does, so that a healthy route
/// has what it needs within a second or two; the first sign of queueing takes the last doubling back. From then on it grows by its square
/// root, and falls in proportion as latency rises, until things have been calm for a while. What latency is without queueing is measured
/// while the limit is not used up, and else, once in a while, with the limit halved for a moment. Thread safe; recording takes no lock and
/// allocates nothing.
/// </summary>
public sealed class GradientLimit
{
    // Netflix's rttTolerance and smoothing.
    private const double Tolerance = 1.5, Smoothing = 0.2;
    private const int MinLimit = 4, Initial = 20;

    // Envoy's interval between updates is 100 ms, and its sample 50 requests. A window lasts until it has as many, though no longer than
    // a second for ten, the least that mean anything; and no shorter than an answer takes, for until then nothing is known of a change.
    private const int EnoughSamples = 50, MinSamples = 10;

    // Latency that is measured while the limit is not used up is no queueing of ours; it is taken over at this pace a second (lower ones
    // at once). Over whole seconds, not windows: the least of many small samples is far below the mean of what they are taken from.
    private const double BaselinePace = 0.1;

    // Windows in a row with hardly more than the latency without queueing, after which it may double again.
    private const int CalmWindows = 5;
    private const double CalmTolerance = 1.2;

    // Seconds in a row with the limit used up after which it is halved to measure (Envoy's 60 s).
    private const int ProbeEverySeconds = 60;

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

    private readonly long _second, _length;
    private Window _window;

    // Written by whoever ends a window, one at a time.
    private Phase _phase;
    private double _limit = Initial, _baseline;
    private bool _doubling = true;
    private int _calm;
    private long _usedUpSince;
    private (double Sum, long Count, bool UsedUp, long Since) _epoch;

    /// <param name="ticksPerSecond">Of the times and latencies.</param>
    public GradientLimit(long ticksPerSecond)
    {
        _second = ticksPerSecond;
        _length = Math.Max(1, ticksPerSecond / 10);
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
        if (now < end || count < MinSamples || (count < EnoughSamples && now < end + _second - _length)) return;
        // Claimed by one; nobody else may until the next end is written.
        if (Interlocked.CompareExchange(ref _window.EndsAt, long.MaxValue - _second, end) != end) return;
        count = Interlocked.Exchange(ref _window.Count, 0);
        double mean = Math.Max(1, (double)Interlocked.Exchange(ref _window.Sum, 0) / Math.Max(count, 1));
        int most = Interlocked.Exchange(ref _window.MostInFlight, 0);
        // The first window has begun with the process.
        if (end != 0) Update(now, mean, count, most, max);
        double length = Math.Max(_length, _phase == Phase.Draining ? 2 * mean : _baseline);
        Volatile.Write(ref _window.EndsAt, now + (long)length);
    }

    private void Update(long now, double mean, long count, int most, int max)
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
                _epoch = default;
                Publish(_limit);
                return;
        }
        Learn(now, mean, count, usedUp);
        _calm = mean <= CalmTolerance * _baseline ? _calm + 1 : 0;
        if (_calm >= CalmWindows) _doubling = true;
        // A limit that nobody comes near says nothing.
        if (!usedUp)
        {
            _usedUpSince = 0;
            return;
        }
        _limit = Math.Clamp(Next(mean), Math.Min(MinLimit, max), max);
        if (_usedUpSince == 0) _usedUpSince = now;
        if (now - _usedUpSince < ProbeEverySeconds * _second)
        {
            Publish(_limit);
            return;
        }
        _usedUpSince = 0;
        _phase = Phase.Draining;
        Publish(Math.Max(_limit / 2, MinLimit));
    }

    private double Next(double mean)
    {
        double gradient = Math.Clamp(Tolerance * _baseline / mean, 0.5, 1);
        if (_doubling)
        {
            if (gradient == 1) return _limit * 2;
            (_doubling, _calm) = (false, 0);
            return _limit / 2;
        }
        return (_limit * (1 - Smoothing)) + (((_limit * gradient) + Math.Sqrt(_limit)) * Smoothing);
    }

    private void Learn(long now, double mean, long count, bool usedUp)
    {
        if (_baseline == 0) Volatile.Write(ref _baseline, mean);
        if (_epoch.Count == 0) _epoch = (0, 0, false, now);
        _epoch = (_epoch.Sum + (mean * count), _epoch.Count + count, _epoch.UsedUp | usedUp, _epoch.Since);
        // A window is as long as what lies behind it: the first one counts too.
        if (now - _epoch.Since < _second - _length) return;
        mean = _epoch.Sum / _epoch.Count;
        if (mean < _baseline) Volatile.Write(ref _baseline, mean);
        else if (!_epoch.UsedUp) Volatile.Write(ref _baseline, _baseline + ((mean - _baseline) * BaselinePace));
        _epoch = default;
    }

    private void Publish(double limit) => Volatile.Write(ref _window.Limit, (int)limit);
}
