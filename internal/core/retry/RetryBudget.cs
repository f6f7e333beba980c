namespace Gateway.Core.Retry;

/// <summary>How much may be sent beyond one attempt per request. Compared by value.</summary>
/// <param name="Percent">Of the requests of the last 10 seconds. 0 to 100 (Finagle, Linkerd, Envoy: 20).</param>
/// <param name="MinPerSecond">What is allowed however few requests there are: ten times this in 10 seconds (Linkerd 10, Envoy 3).</param>
public sealed record RetryBudgetSettings(int Percent = 20, int MinPerSecond = 3);

/// <summary>What a budget stands at.</summary>
/// <param name="Requests">Of the last 10 seconds.</param>
/// <param name="Spent">Attempts beyond the first in that time.</param>
/// <param name="Allowed">How many of those there may be.</param>
public readonly record struct RetryBudgetReading(long Requests, long Spent, long Allowed);

/// <summary>
/// The one bound on attempts beyond the first, whatever they are for: retries, hedges, requests sent anew because a connection was stale.
/// At no time are more than max(<see cref="RetryBudgetSettings.Percent"/> of the requests of the last 10 seconds,
/// 10 × <see cref="RetryBudgetSettings.MinPerSecond"/>) granted within 10 seconds; hence over any time
/// attempts ≤ (1 + percent/100) × requests + MinPerSecond × (seconds + 10). Thread safe: a request costs one uncontended count, an
/// attempt beyond the first a short lock.
/// </summary>
public sealed class RetryBudget
{
    public const int WindowSeconds = 10;

    // One more bucket than the requests have: those cover a little less than the window and these a little more, so that the error is
    // always on the side of the upstream.
    private const int Buckets = RollingWindow.Buckets + 1;

    private readonly Lock _gate = new();
    private readonly RollingWindow _requests;
    private readonly long _bucketTicks;
    private long[]? _spent;
    private long _bucket = -1;
    private long _refused;

    /// <param name="settings">The bound.</param>
    /// <param name="ticksPerSecond">Of the timestamps.</param>
    public RetryBudget(RetryBudgetSettings settings, long ticksPerSecond)
    {
        Settings = settings;
        _bucketTicks = ticksPerSecond * WindowSeconds / RollingWindow.Buckets;
        _requests = new RollingWindow(ticksPerSecond * WindowSeconds);
    }

    public RetryBudgetSettings Settings { get; }

    /// <summary>Attempts that were not granted.</summary>
    public long Refused => Volatile.Read(ref _refused);

    /// <summary>Counts a request: its first attempt.</summary>
    public void Request(long now) => _requests.Add(now, marked: false);

    /// <summary>Asks for one attempt more. True: it has been counted; one that is not made after all is given back with <see cref="GiveBack"/>.</summary>
    public bool TryTake(long now)
    {
        long requests = _requests.Read(now).Events;
        lock (_gate)
        {
            long[] spent = Advance_NeedsLock(now);
            if (Sum(spent) >= Allowed(requests))
            {
                Volatile.Write(ref _refused, _refused + 1);
                return false;
            }
            spent[_bucket % Buckets]++;
            return true;
        }
    }

    /// <summary>An attempt that was granted a moment ago is not made.</summary>
    public void GiveBack(long now)
    {
        lock (_gate)
        {
            long[] spent = Advance_NeedsLock(now);
            // Where the bucket has changed since, it is left spent, on the side of the upstream.
            if (spent[_bucket % Buckets] > 0) spent[_bucket % Buckets]--;
        }
    }

    public RetryBudgetReading Read(long now)
    {
        long requests = _requests.Read(now).Events;
        lock (_gate) return new RetryBudgetReading(requests, _spent is null ? 0 : Sum(Advance_NeedsLock(now)), Allowed(requests));
    }

    private long Allowed(long requests) => Math.Max(requests * Settings.Percent / 100, (long)Settings.MinPerSecond * WindowSeconds);

    private long[] Advance_NeedsLock(long now)
    {
        long[] spent = _spent ??= new long[Buckets];
        long bucket = now / _bucketTicks;
        // A timestamp from before the last one's bucket, of a thread that waited for the lock, counts into the current one.
        if (bucket <= _bucket) return spent;
        for (long b = Math.Max(_bucket + 1, Math.Max(0, bucket - Buckets + 1)); b <= bucket; b++) spent[b % Buckets] = 0;
        _bucket = bucket;
        return spent;
    }

    private static long Sum(long[] counts)
    {
        long sum = 0;
        foreach (long n in counts) sum += n;
        return sum;
    }
}
