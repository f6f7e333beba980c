namespace Gateway.Core.Rollout;

/// <summary>How many of the requests of one step failed (or were slow), the candidate's and those beside it.</summary>
/// <param name="Candidate">The candidate's requests.</param>
/// <param name="CandidateFailures">Of <paramref name="Candidate"/>.</param>
/// <param name="Stable">The requests beside them.</param>
/// <param name="StableFailures">Of <paramref name="Stable"/>.</param>
internal readonly record struct Table(long Candidate, long CandidateFailures, long Stable, long StableFailures)
{
    // No sum of two is beyond what a double counts one by one.
    private const long Most = 1L << 51;

    public long Requests => Candidate + Stable;

    public long Failures => CandidateFailures + StableFailures;

    /// <summary>Its margins leave open who failed: only then does it say anything.</summary>
    public bool Tells => Candidate > 0 && Stable > 0 && Failures > 0 && Failures < Requests;

    /// <summary>The candidate's failures if both failed alike.</summary>
    public double Expected => Requests == 0 ? 0 : (double)Candidate * Failures / Requests;

    /// <summary>A smaller table of the same proportions, rounded in the candidate's favour: it says less of a difference than the whole.</summary>
    /// <param name="candidate">Its requests of the candidate, fewer than this one's.</param>
    public Table Scaled(long candidate)
    {
        double by = (double)candidate / Candidate;
        return Of(candidate, (long)Math.Floor(CandidateFailures * by), (long)Math.Ceiling(Stable * by), (long)Math.Ceiling(StableFailures * by));
    }

    /// <summary>Of any numbers a table that can be.</summary>
    public static Table Of(long candidate, long candidateFailures, long stable, long stableFailures)
    {
        candidate = Math.Clamp(candidate, 0, Most);
        stable = Math.Clamp(stable, 0, Most);
        return new Table(candidate, Math.Clamp(candidateFailures, 0, candidate), stable, Math.Clamp(stableFailures, 0, stable));
    }
}
