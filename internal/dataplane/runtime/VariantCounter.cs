using Gateway.Core.Rollout;

namespace Gateway.DataPlane.Runtime;

/// <summary>How a request of a canary, or beside one, ended.</summary>
internal enum VariantOutcome : byte
{
    Fine,

    /// <summary>The gateway's fault or the upstream's.</summary>
    Failure,

    /// <summary>4xx of the gateway's making.</summary>
    Refusal,

    /// <summary>4xx of the gateway's making, for a rate.</summary>
    Limited,

    /// <summary>4xx of the upstream's.</summary>
    ClientError,
    Cancelled,
    NoRoute,
}

/// <summary>Counts one route and variant. Thread safe; takes no memory before the first record.</summary>
internal sealed class VariantCounter
{
    private const int Outcomes = (int)VariantOutcome.NoRoute + 1;

    private long[]? _cells;

    public void Record(VariantOutcome outcome, double seconds)
    {
        long[] cells = Volatile.Read(ref _cells) ?? Create();
        Interlocked.Increment(ref cells[(int)outcome]);
        if (outcome is not VariantOutcome.Failure) Interlocked.Increment(ref cells[Outcomes + LatencyBuckets.IndexOf(seconds)]);
    }

    /// <summary>Requests so far; those that were taken are not among them.</summary>
    public long Requests
    {
        get
        {
            long requests = 0;
            if (Volatile.Read(ref _cells) is { } cells) for (int i = 0; i < Outcomes; i++) requests += Volatile.Read(ref cells[i]);
            return requests;
        }
    }

    /// <param name="take">Nothing of what is returned is counted here any more.</param>
    /// <param name="withoutRoute">Of the requests, those that found no route.</param>
    public VariantCounts Read(bool take, out long withoutRoute)
    {
        withoutRoute = 0;
        if (Volatile.Read(ref _cells) is not { } cells) return VariantCounts.Zero;
        var read = new long[cells.Length];
        for (int i = 0; i < read.Length; i++)
        {
            if (Volatile.Read(ref cells[i]) is not 0 and var n) read[i] = take ? Interlocked.Exchange(ref cells[i], 0) : n;
        }
        withoutRoute = read[(int)VariantOutcome.NoRoute];
        long requests = 0;
        foreach (long count in read.AsSpan(0, Outcomes)) requests += count;
        return VariantCounts.Of(
            requests, read[(int)VariantOutcome.Failure], read[(int)VariantOutcome.Refusal] + read[(int)VariantOutcome.Limited], read[(int)VariantOutcome.ClientError],
            read[(int)VariantOutcome.Cancelled], read[Outcomes..]) with
        { Limited = read[(int)VariantOutcome.Limited] };
    }

    private long[] Create()
    {
        long[] made = new long[Outcomes + LatencyBuckets.Count];
        return Interlocked.CompareExchange(ref _cells, made, null) ?? made;
    }
}
