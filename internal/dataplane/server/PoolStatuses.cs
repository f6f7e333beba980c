using Gateway.DataPlane.Runtime;

namespace Gateway.DataPlane.Server;

/// <summary>The pools of a snapshot for a person to look at.</summary>
internal static class PoolStatuses
{
    public static IReadOnlyList<PoolStatus> Of(GatewaySnapshot snapshot)
    {
        PoolStatus[] statuses = new PoolStatus[snapshot.Pools.Length];
        for (int i = 0; i < statuses.Length; i++)
        {
            PoolModel pool = snapshot.Pools[i];
            EndpointStatus[] endpoints = Array.ConvertAll(pool.Endpoints, static endpoint => new EndpointStatus(
                endpoint.Address, endpoint.Weight, Healthy: true, endpoint.State.Load.InFlight, endpoint.State.Attempts, endpoint.State.Failures, endpoint.Upstream.Connections));
            statuses[i] = new PoolStatus(pool.Name, Word(pool.Protocol.ToString()), Word(pool.Policy.ToString()), endpoints);
        }
        return statuses;
    }

    // As documents write enumerations.
    private static string Word(string name) => char.ToLowerInvariant(name[0]) + name[1..];
}
