namespace Gateway.DataPlane.Obs;

/// <summary>What is counted of a route's attempts beyond one per request. Thread safe; written only when there is one.</summary>
internal sealed class AttemptCounts
{
    private readonly long[] _retries = new long[RetryReasons.Labels.Length];
    private long _exhausted, _hedgesWon, _hedgesLost;

    /// <summary>Retries that the budget did not allow.</summary>
    public long Exhausted => Volatile.Read(ref _exhausted);

    /// <summary>Hedges whose response was the client's, and the others.</summary>
    public long HedgesWon => Volatile.Read(ref _hedgesWon);
    public long HedgesLost => Volatile.Read(ref _hedgesLost);

    public long Retries(RetryReason reason) => Volatile.Read(ref _retries[(int)reason]);

    public void Retry(RetryReason reason) => Interlocked.Increment(ref _retries[(int)reason]);

    public void Exhaust() => Interlocked.Increment(ref _exhausted);

    public void Hedge(bool won) => Interlocked.Increment(ref won ? ref _hedgesWon : ref _hedgesLost);
}

/// <summary>Why a request was sent once more.</summary>
internal enum RetryReason : byte
{
    Connect,
    Reset,
    Refused,
    Timeout,
    Status,

    /// <summary>A connection that had been kept was closed by the other side before it said a byte.</summary>
    Stale,
}

internal static class RetryReasons
{
    /// <summary>By <see cref="RetryReason"/>.</summary>
    public static string[] Labels { get; } = ["connect", "reset", "refused", "timeout", "status", "stale"];
}
