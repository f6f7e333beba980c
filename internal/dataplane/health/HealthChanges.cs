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
        if (to is HealthWords.Healthy or HealthWords.Normal) HealthLog.Better(services.Log, pool.Name, who, from, to, cause, detail);
        else HealthLog.Worse(services.Log, pool.Name, who, from, to, cause, detail);
        DateTimeOffset now = services.Time.GetUtcNow();
        return pool.Ledger.Add(now, endpoint, from, to, cause, detail, now + length);
    }
}
