using Gateway.Core.Outlier;
using Gateway.DataPlane.Runtime;

namespace Gateway.DataPlane.Health;

/// <summary>
/// Watches over the endpoints of one pool: has them probed, judges what attempts at them come to, keeps the ledger, and has the pool's sets
/// follow. One for each pool, across snapshots. Thread safe; nothing of it runs on an event loop.
/// </summary>
internal sealed class PoolMonitor
{
    private readonly Lock _gate = new();
    private readonly HealthServices _services;
    private readonly HealthChanges _changes;
    private readonly PoolProbers _probers;
    private readonly OutlierDetector _detector = new();
    private readonly Dictionary<EndpointState, OutlierMember> _members = [];
    private readonly List<EjectionDecision> _decisions = [];
    private PoolModel _model;
    private EndpointModel[] _endpoints = [];
    private int _asked;
    private bool _stopped;

    public PoolMonitor(PoolModel model, HealthServices services)
    {
        _services = services;
        _model = model;
        _changes = new HealthChanges(model.State, services);
        _probers = new PoolProbers(model.State, _changes, services, _gate);
        model.State.Rebuilt = Ask;
        // Who is in from the start has not joined.
        lock (_gate) Configure_NeedsLock(cause: null);
    }

    public PoolState Pool => _model.State;

    /// <summary>Takes the pool as the snapshot that has just been published has it. To be called by one at a time.</summary>
    public void Follow(PoolModel model)
    {
        lock (_gate)
        {
            _model = model;
            Configure_NeedsLock(HealthWords.Apply);
            Look_NeedsLock();
        }
    }

    /// <summary>Looks at what only time brings. Called four times a second.</summary>
    public void Tick()
    {
        // Most pools have nobody out and no outliers to look for.
        lock (_gate)
        {
            if (_detector.NeedsTime) Look_NeedsLock();
        }
    }

    /// <summary>The pool is gone.</summary>
    public void Stop()
    {
        lock (_gate)
        {
            _stopped = true;
            Pool.Rebuilt = null;
            foreach (EndpointState endpoint in _members.Keys) Leave(endpoint, HealthWords.Apply, "the pool is gone");
            _probers.Stop_NeedsLock();
        }
    }

    /// <summary>Ends when no prober that was stopped up to now runs any more.</summary>
    public Task EndedAsync()
    {
        lock (_gate) return _probers.Ended_NeedsLock();
    }

    private void Leave(EndpointState endpoint, string cause, string why)
    {
        endpoint.Health.Watch = null;
        _changes.Leave(endpoint, cause, why);
    }

    // On a request's thread, or after a rebuild: what is asked for meanwhile is found by the same look.
    private void Ask()
    {
        if (Interlocked.Exchange(ref _asked, 1) == 0) ThreadPool.UnsafeQueueUserWorkItem(static monitor => monitor.Answer(), this, preferLocal: false);
    }

    private void Answer()
    {
        Interlocked.Exchange(ref _asked, 0);
        try
        {
            lock (_gate) Look_NeedsLock();
        }
        catch (Exception failure)
        {
            HealthLog.MonitorFailed(_services.Log, Pool.Name, failure);
        }
    }

    private void Look_NeedsLock()
    {
        if (_stopped) return;
        EndpointSet set = _model.Current;
        if (!ReferenceEquals(set.Endpoints, _endpoints)) Configure_NeedsLock(HealthWords.Discovery);
        _changes.Follow(set, _model.Plan.PanicThreshold);
        _detector.Evaluate(_services.Now, _decisions);
        foreach (EjectionDecision decision in _decisions) Apply_NeedsLock(decision);
        _decisions.Clear();
    }

    /// <param name="cause">Why endpoints may have joined or left; null where nobody has.</param>
    private void Configure_NeedsLock(string? cause)
    {
        _endpoints = _model.Current.Endpoints;
        HashSet<EndpointState> present = [];
        foreach (EndpointModel endpoint in _endpoints) present.Add(endpoint.State);
        foreach (EndpointState gone in _members.Keys.Where(known => !present.Contains(known)).ToArray())
        {
            Leave(gone, cause!, cause == HealthWords.Apply ? "the document has it no more" : "it is found no more");
            _members.Remove(gone);
        }
        foreach (EndpointState endpoint in present)
        {
            if (_members.ContainsKey(endpoint)) continue;
            _members.Add(endpoint, new OutlierMember(endpoint.Address, endpoint.Health.Counts));
            if (cause is not null) _changes.Join(endpoint, cause);
        }
        _detector.Configure(_services.Now, _model.Health.Passive, _model.Health.Outlier, [.. _members.Values]);
        RunWatch watch = new(_detector.UnansweredToReport, _detector.RunToReport, Ask);
        foreach (EndpointState endpoint in present)
        {
            if (endpoint.Health.Watch != watch) endpoint.Health.Watch = watch;
        }
        _probers.Follow_NeedsLock(_model.Health.Probe, _endpoints);
    }

    private void Apply_NeedsLock(in EjectionDecision decision)
    {
        OutlierMember judged = decision.Member;
        EndpointState endpoint = _members.First(known => ReferenceEquals(known.Value, judged)).Key;
        string cause = HealthWords.CauseOf(decision.Reason), detail = HealthWords.DetailOf(decision, _model.Health, endpoint.Health.LastFailure);
        switch (decision.Step)
        {
            case EjectionStep.Ejected:
                _services.Ejections.Add(1, Pool.Name, cause);
                _changes.Change(endpoint, EndpointFaults.Ejected, true, cause, detail, decision.Length);
                break;
            case EjectionStep.Spared:
                _changes.Spare(endpoint, cause, detail);
                break;
            default:
                _changes.Change(endpoint, EndpointFaults.Ejected, false, cause, detail);
                break;
        }
    }
}
