using Gateway.DataPlane.Runtime;
using Gateway.DataPlane.Transport;

namespace Gateway.DataPlane.Health;

/// <summary>
/// The probers of a pool: one for each endpoint, whatever the number of routes and snapshots, kept as long as it does what is wanted.
/// </summary>
/// <param name="gate">The lock of the pool's monitor.</param>
internal sealed class PoolProbers(PoolState pool, HealthChanges changes, HealthServices services, Lock gate)
{
    private readonly Dictionary<EndpointState, Prober> _probers = [];
    private readonly List<Task> _ending = [];

    public void Follow_NeedsLock(ProbePlan? plan, EndpointModel[] endpoints)
    {
        // Among endpoints that are probed, a new one waits for its first probe. When probing begins, all would: they are used meanwhile.
        bool begins = _probers.Count == 0;
        HashSet<EndpointState> wanted = [];
        foreach (EndpointModel endpoint in endpoints)
        {
            if (plan is null || !wanted.Add(endpoint.State)) continue;
            UpstreamSettings settings = SettingsOf(endpoint.Upstream);
            if (_probers.TryGetValue(endpoint.State, out Prober? known))
            {
                if (known.Plan == plan && known.Settings == settings) continue;
                NoteEnding(known.StopAsync());
            }
            else if (!begins)
            {
                changes.Change(endpoint.State, EndpointFaults.Unprobed, true, HealthWords.Probe, "joined a pool that is probed; waits for its first probe");
            }
            Prober prober = new(endpoint.State, plan, settings, services.Time, new Random(services.NextSeed()), Report);
            _probers[endpoint.State] = prober;
            prober.Start();
        }
        foreach (EndpointState endpoint in _probers.Keys.Where(probed => !wanted.Contains(probed)).ToArray()) End_NeedsLock(endpoint);
    }

    public void Stop_NeedsLock() => Follow_NeedsLock(null, []);

    /// <summary>Ends when no prober that was stopped up to now runs any more.</summary>
    public Task Ended_NeedsLock()
    {
        if (_ending.Count == 0) return Task.CompletedTask;
        Task all = Task.WhenAll(_ending);
        _ending.Clear();
        return all;
    }

    // Endpoints that discovery finds and loses may come and go for days before somebody waits for this.
    private void NoteEnding(Task task)
    {
        _ending.RemoveAll(static ended => ended.IsCompletedSuccessfully);
        _ending.Add(task);
    }

    private void End_NeedsLock(EndpointState endpoint)
    {
        _ = _probers.Remove(endpoint, out Prober? prober);
        NoteEnding(prober!.StopAsync());
        endpoint.Health.LastProbe = null;
        changes.Change(endpoint, EndpointFaults.ProbeFailed | EndpointFaults.Unprobed, false, HealthWords.Probe, "is probed no more");
    }

    // On the prober's thread.
    private void Report(Prober prober, ProbeResult result)
    {
        try
        {
            lock (gate)
            {
                // One that was stopped meanwhile has nothing to say any more.
                if (_probers.GetValueOrDefault(prober.Endpoint) == prober) Take_NeedsLock(prober, result);
            }
        }
        catch (Exception failure)
        {
            HealthLog.MonitorFailed(services.Log, pool.Name, failure);
        }
    }

    private void Take_NeedsLock(Prober prober, in ProbeResult result)
    {
        services.Probes.Add(1, pool.Name, result.Result);
        bool changed = prober.Streak.Add(result.IsGood);
        prober.Endpoint.Health.LastProbe = new ProbeNote(services.Time.GetUtcNow(), result.IsGood, result.Detail, prober.Streak.Length);
        if (!changed) return;
        string detail = HealthWords.DetailOf(prober, result);
        if (result.IsGood) changes.Change(prober.Endpoint, EndpointFaults.ProbeFailed | EndpointFaults.Unprobed, false, HealthWords.Probe, detail);
        else changes.Change(prober.Endpoint, EndpointFaults.ProbeFailed, true, HealthWords.Probe, detail);
    }

    private static UpstreamSettings SettingsOf(Upstream upstream) => upstream is LoopUpstream loops ? loops.Settings : ((HttpClientUpstream)upstream).Settings;
}
