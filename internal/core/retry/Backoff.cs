namespace Gateway.Core.Retry;

/// <summary>
/// How long to wait before a retry: exponential with full jitter (Brooker, "Exponential Backoff And Jitter"), uniform between nothing and
/// base × 2^(retry-1), at most max. Immutable.
/// </summary>
/// <param name="Base">Envoy: 25 ms.</param>
/// <param name="Max">Envoy: ten times the base.</param>
public sealed record Backoff(TimeSpan Base, TimeSpan Max)
{
    /// <param name="retry">1 for the first retry.</param>
    /// <param name="random">Any 64 random bits.</param>
    public TimeSpan Delay(int retry, ulong random)
    {
        // Beyond 30 doublings of a millisecond any max is reached.
        long ceiling = retry > 30 ? Max.Ticks : Math.Min(Max.Ticks, (long)Math.Min(long.MaxValue, Base.Ticks * (double)(1L << (retry - 1))));
        return new TimeSpan((long)Math.BigMul(random, (ulong)ceiling + 1, out _));
    }
}
