using Gateway.Config;
using Gateway.DataPlane.Runtime;

namespace Gateway.DataPlane.Server;

/// <summary>
/// Which states a candidate has to itself while it is tried beside the live snapshot. Its routes': breaker, retry budget, latencies, limiter.
/// Its pools' where they say something else than the live ones: endpoints, their health and ejection. All other pools, and connections
/// under the same settings, it shares, so that it balances by the same loads and the same health.
/// </summary>
/// <param name="number">Another one for each candidate that is tried.</param>
internal sealed class CanaryStates(ushort number, GatewaySnapshot live)
{
    /// <summary>The <see cref="SharedState.Trial"/> of its routes' states.</summary>
    public ushort OfRoutes => number;

    /// <summary>The <see cref="SharedState.Trial"/> of a pool's state and of its endpoints'.</summary>
    public ushort OfPool(string name, PoolConfig pool) =>
        live.Config.Pools.TryGetValue(name, out PoolConfig? running) && ConfigDifference.Same(running, pool) ? (ushort)0 : number;
}
