namespace Gateway.DataPlane.Runtime;

/// <summary>A change of how an endpoint or a whole pool is, with what it was based on.</summary>
/// <param name="Sequence">Rises by one within the pool.</param>
/// <param name="Endpoint">Its address; empty for the pool's own state.</param>
/// <param name="From">What it was before: <c>healthy</c>, <c>unhealthy</c>, <c>unprobed</c>, <c>ejected</c>, several of them, <c>absent</c> of one that is not in the pool, or of a pool <c>normal</c> and <c>panic</c>.</param>
/// <param name="To">What it is now; the same as before when something was decided against a change.</param>
/// <param name="Cause">In one word, as metrics have it.</param>
/// <param name="Detail">For a person: which probe or attempts, counters and thresholds.</param>
/// <param name="Until">When an ejection ends; null for anything else.</param>
internal sealed record LedgerEntry(
    long Sequence, DateTimeOffset Time, string Endpoint, string From, string To, string Cause, string Detail, DateTimeOffset? Until);

/// <summary>
/// The last changes of a pool's health and of its endpoints, oldest dropped first. Lives as long as the pool, across applies. Thread safe.
/// </summary>
internal sealed class HealthLedger
{
    /// <summary>Entries about health that are kept. One endpoint that flaps writes two for each ejection.</summary>
    public const int Capacity = 200;

    /// <summary>
    /// Entries about who joined and left that are kept, beside the others: a name server that answers with other addresses each time must
    /// not push the evidence of an ejection out.
    /// </summary>
    public const int MembershipCapacity = 100;

    private readonly Lock _gate = new();
    private readonly Queue<LedgerEntry> _entries = new(), _memberships = new();
    private long _sequence;

    public LedgerEntry Add(DateTimeOffset time, string endpoint, string from, string to, string cause, string detail, DateTimeOffset? until = null) =>
        Add(_entries, Capacity, time, endpoint, from, to, cause, detail, until);

    /// <summary>An endpoint has joined the pool or left it, with nothing against it.</summary>
    public LedgerEntry AddMembership(DateTimeOffset time, string endpoint, string from, string to, string cause, string detail) =>
        Add(_memberships, MembershipCapacity, time, endpoint, from, to, cause, detail, null);

    /// <summary>Oldest first.</summary>
    public IReadOnlyList<LedgerEntry> Entries
    {
        get { lock (_gate) return [.. _entries.Concat(_memberships).OrderBy(static entry => entry.Sequence)]; }
    }

    private LedgerEntry Add(
        Queue<LedgerEntry> kept, int capacity, DateTimeOffset time, string endpoint, string from, string to, string cause, string detail, DateTimeOffset? until)
    {
        lock (_gate)
        {
            LedgerEntry entry = new(++_sequence, time, endpoint, from, to, cause, detail, until);
            kept.Enqueue(entry);
            if (kept.Count > capacity) kept.Dequeue();
            return entry;
        }
    }
}
