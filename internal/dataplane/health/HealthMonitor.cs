using Gateway.DataPlane.Runtime;

namespace Gateway.DataPlane.Health;

/// <summary>
/// Watches over the endpoints of all pools that are live. A candidate that is only compiled is not known here: nothing begins before it is
/// published, and what the next snapshot has as well goes on undisturbed.
/// </summary>
internal sealed class HealthMonitor(HealthServices services)
{
    // As exact as an ejection's end is.
    private static readonly TimeSpan Interval = TimeSpan.FromMilliseconds(250);

    private readonly CancellationTokenSource _stop = new();
    private PoolMonitor[] _pools = [];
    private Task? _running;

    /// <summary>To be called after each publish, by one at a time. Ends when nothing runs any more that the snapshots do not want.</summary>
    /// <param name="snapshot">The live one.</param>
    /// <param name="candidate">One that is tried beside it; where they share a pool, the live one says how it is watched.</param>
    public Task FollowAsync(GatewaySnapshot snapshot, GatewaySnapshot? candidate = null)
    {
        PoolModel[] pools = candidate is null ? snapshot.Pools : [.. snapshot.Pools, .. candidate.Pools.ExceptBy(snapshot.Pools.Select(static pool => pool.State), static pool => pool.State)];
        Dictionary<PoolState, PoolMonitor> before = _pools.ToDictionary(static monitor => monitor.Pool);
        PoolMonitor[] next = new PoolMonitor[pools.Length];
        for (int i = 0; i < next.Length; i++)
        {
            PoolModel pool = pools[i];
            if (before.Remove(pool.State, out PoolMonitor? known)) known.Follow(pool);
            else known = new PoolMonitor(pool, services);
            next[i] = known;
        }
        Volatile.Write(ref _pools, next);
        foreach (PoolMonitor gone in before.Values) gone.Stop();
        _running ??= RunAsync();
        return Task.WhenAll(next.Concat(before.Values).Select(static pool => pool.EndedAsync()));
    }

    /// <summary>Ends all watching, and returns when nothing of it runs any more.</summary>
    public async Task StopAsync()
    {
        await _stop.CancelAsync();
        if (_running is not null) await _running;
        foreach (PoolMonitor pool in _pools)
        {
            pool.Stop();
            await pool.EndedAsync();
        }
    }

    private async Task RunAsync()
    {
        using PeriodicTimer timer = new(Interval, services.Time);
        try
        {
            while (await timer.WaitForNextTickAsync(_stop.Token))
            {
                foreach (PoolMonitor pool in Volatile.Read(ref _pools)) Tick(pool);
            }
        }
        catch (OperationCanceledException)
        {
            // Stopped.
        }
    }

    private void Tick(PoolMonitor pool)
    {
        try
        {
            pool.Tick();
        }
        catch (Exception failure)
        {
            HealthLog.MonitorFailed(services.Log, pool.Pool.Name, failure);
        }
    }
}
