using Gateway.DataPlane.Health;
using Gateway.DataPlane.Runtime;

namespace Gateway.DataPlane.Server;

/// <summary>The pools of a snapshot for a person to look at.</summary>
internal static class PoolStatuses
{
    public static IReadOnlyList<PoolStatus> Of(GatewaySnapshot snapshot)
    {
        PoolStatus[] statuses = new PoolStatus[snapshot.Pools.Length];
        for (int i = 0; i < statuses.Length; i++) statuses[i] = Of(snapshot.Pools[i]);
        return statuses;
    }

    public static PoolStatus Of(PoolModel pool)
    {
        EndpointSet set = pool.Current;
        EndpointStatus[] endpoints = new EndpointStatus[set.Endpoints.Length];
        for (int e = 0; e < endpoints.Length; e++) endpoints[e] = Of(set.Endpoints[e], set.Standings[e], set.Ramps is { } ramps && set.Standings[e].IsUsed ? ramps[e] : 100);
        return new PoolStatus(pool.Name, Word(pool.Protocol.ToString()), Word(pool.Plan.Balancing.Kind.ToString()), endpoints)
        {
            Panic = set.IsPanic,
            Ledger = [.. pool.State.Ledger.Entries.Select(Of)],
        };
    }

    private static EndpointStatus Of(EndpointModel endpoint, EndpointStanding standing, int ramp) => new(
        endpoint.Address, endpoint.Weight, endpoint.State.Health.IsUsable, endpoint.State.Load.InFlight, endpoint.State.Attempts, endpoint.State.Failures, endpoint.Upstream.Connections)
    {
        Zone = endpoint.Zone,
        Priority = endpoint.Priority,
        RampPercent = ramp,
        Used = standing.IsUsed,
        State = HealthWords.StateOf(endpoint.State.Health.Faults),
        Errors = endpoint.State.Health.Counts.Errors,
        LastProbe = endpoint.State.Health.LastProbe is { } probe ? new ProbeStatus(probe.Time, probe.IsGood, probe.Detail, probe.InARow) : null,
        LastChange = endpoint.State.Health.LastEntry is { } last ? Of(last) : null,
        Reason = standing.Reason switch
        {
            StandingReason.None => null,
            StandingReason.NoWeight => "no_weight",
            StandingReason.ProbeFailed => "probe_failed",
            StandingReason.Ejected => "ejected",
            StandingReason.Standby => "standby",
            StandingReason.Unprobed => "unprobed",
            _ => throw new InvalidOperationException($"{standing.Reason} has no word."),
        },
    };

    private static HealthChange Of(LedgerEntry entry) =>
        new(entry.Sequence, entry.Time, entry.Endpoint, entry.From, entry.To, entry.Cause, entry.Detail, entry.Until);

    // As documents write enumerations.
    private static string Word(string name) => char.ToLowerInvariant(name[0]) + name[1..];
}
