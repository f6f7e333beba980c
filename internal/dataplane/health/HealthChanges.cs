using Gateway.DataPlane.Runtime;

namespace Gateway.DataPlane.Health;

/// <summary>
/// Makes changes of a pool's health known: to the endpoint, the ledger, the log, and the sets that requests read. Its calls need the lock of
/// the pool's monitor, so that what an entry says it was is what the entry before says it is.
/// </summary>
internal sealed class HealthChanges(PoolState pool, HealthServices services)
{
    private bool _panic;

    /// <summary>Sets or clears faults, when that is a change.</summary>
    public void Change(EndpointState endpoint, EndpointFaults faults, bool hold, string cause, string detail, TimeSpan? length = null)
    {
        string before = HealthWords.StateOf(endpoint.Health.Faults);
        if (!endpoint.Health.Set(faults, hold)) return;
        string after = HealthWords.StateOf(endpoint.Health.Faults);
        endpoint.Health.LastEntry = Note(endpoint.Address, before, after, cause, detail, length);
        pool.EndpointsChanged($"{endpoint.Address} is {after}");
    }

    /// <summary>Something was decided against a change.</summary>
    public void Spare(EndpointState endpoint, string cause, string detail)
    {
        string state = HealthWords.StateOf(endpoint.Health.Faults);
        endpoint.Health.LastEntry = Note(endpoint.Address, state, state, cause, detail, null);
    }

    /// <summary>Notes that an endpoint has joined the pool.</summary>
    /// <param name="cause"><see cref="HealthWords.Discovery"/> or <see cref="HealthWords.Apply"/>, as for <see cref="Leave"/>.</param>
    public void Join(EndpointState endpoint, string cause) => endpoint.Health.LastEntry = pool.Ledger.AddMembership(
        services.Time.GetUtcNow(), endpoint.Address, HealthWords.Absent, HealthWords.StateOf(endpoint.Health.Faults), cause, cause == HealthWords.Apply ? "the document has it" : "it was found");

    /// <summary>
    /// The endpoint has left the pool, or the pool is gone. What is known against it goes with it: should it come back while requests still
    /// hold its state, nobody would know when to let it in again.
    /// </summary>
    public void Leave(EndpointState endpoint, string cause, string why)
    {
        string before = HealthWords.StateOf(endpoint.Health.Faults);
        bool wasOut = endpoint.Health.Set(EndpointFaults.Ejected | EndpointFaults.ProbeFailed | EndpointFaults.Unprobed, false);
        endpoint.Health.LastEntry = wasOut
            ? Note(endpoint.Address, before, HealthWords.Absent, cause, $"{why}; what was known against it is forgotten, should it come back", null)
            : pool.Ledger.AddMembership(services.Time.GetUtcNow(), endpoint.Address, before, HealthWords.Absent, cause, why);
    }

    /// <summary>Notes that the pool has come into panic, or out of it.</summary>
    public void Follow(EndpointSet set, int panicThreshold)
    {
        if (set.IsPanic == _panic) return;
        _panic = set.IsPanic;
        int all = set.Standings.Count(static s => s.Reason != StandingReason.NoWeight), well = set.Standings.Count(static s => s.Reason is StandingReason.None or StandingReason.Standby);
        string detail = $"{well} of {all} endpoints are well, {(_panic ? "fewer than" : "not fewer than")} panicThreshold {panicThreshold} %: {(_panic ? "all are used" : "only those are used")}";
        Note("", _panic ? HealthWords.Normal : HealthWords.Panic, _panic ? HealthWords.Panic : HealthWords.Normal, HealthWords.Panic, detail, null);
    }

    private LedgerEntry Note(string endpoint, string from, string to, string cause, string detail, TimeSpan? length)
    {
        string who = endpoint.Length == 0 ? "the pool" : endpoint;
        if (to is HealthWords.Healthy or HealthWords.Normal or HealthWords.Absent) HealthLog.Better(services.Log, pool.Name, who, from, to, cause, detail);
        else HealthLog.Worse(services.Log, pool.Name, who, from, to, cause, detail);
        DateTimeOffset now = services.Time.GetUtcNow();
        return pool.Ledger.Add(now, endpoint, from, to, cause, detail, now + length);
    }
}
