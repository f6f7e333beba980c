using Gateway.Core.Outlier;
using Gateway.DataPlane.Runtime;

namespace Gateway.DataPlane.Health;

/// <summary>
/// Watches over the endpoints of one pool: judges what attempts at them come to, keeps the ledger, and has the pool's sets follow. One for
/// each pool, across snapshots. Thread safe; nothing of it runs on an event loop.
/// </summary>
internal sealed class PoolMonitor
{
    private readonly Lock _gate = new();
    private readonly HealthServices _services;
    private readonly OutlierDetector _detector = new();
    private readonly Dictionary<EndpointState, OutlierMember> _members = [];
    private readonly List<EjectionDecision> _decisions = [];
    private readonly RunWatch _told;
    private PoolModel _model;
    private EndpointModel[] _endpoints = [];
    private int _asked;
    private bool _panic, _stopped;

    public PoolMonitor(PoolModel model, HealthServices services)
    {
        _services = services;
        _model = model;
        _told = new RunWatch(int.MaxValue, int.MaxValue, Ask);
        model.State.Rebuilt = Ask;
        Follow(model);
    }

    public PoolState Pool => _model.State;

    /// <summary>Takes the pool as the snapshot that has just been published has it. To be called by one at a time.</summary>
    public void Follow(PoolModel model)
    {
        lock (_gate)
        {
            bool same = ReferenceEquals(_model.Health, model.Health) || _model.Health == model.Health;
            _model = model;
            if (!same || _endpoints.Length == 0) Configure_NeedsLock();
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
            foreach (EndpointState endpoint in _members.Keys) Leave(endpoint);
        }
    }

    // It may come back while requests still hold its state; then nobody would know when to let it in again.
    private static void Leave(EndpointState endpoint)
    {
        endpoint.Health.Watch = null;
        endpoint.Health.Set(EndpointFaults.Ejected, false);
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
        if (!ReferenceEquals(set.Endpoints, _endpoints)) Configure_NeedsLock();
        if (set.IsPanic != _panic) NotePanic_NeedsLock(set);
        _detector.Evaluate(_services.Now, _decisions);
        if (_decisions.Count == 0) return;
        foreach (EjectionDecision decision in _decisions) Apply_NeedsLock(decision);
        _decisions.Clear();
    }

    private void Configure_NeedsLock()
    {
        _endpoints = _model.Current.Endpoints;
        HashSet<EndpointState> present = [];
        foreach (EndpointModel endpoint in _endpoints) present.Add(endpoint.State);
        foreach (EndpointState gone in _members.Keys.Where(known => !present.Contains(known)).ToArray())
        {
            Leave(gone);
            _members.Remove(gone);
        }
        foreach (EndpointState endpoint in present)
        {
            if (!_members.ContainsKey(endpoint)) _members.Add(endpoint, new OutlierMember(endpoint.Address, endpoint.Health.Counts));
        }
        _detector.Configure(_services.Now, _model.Health.Passive, _model.Health.Outlier, [.. _members.Values]);
        RunWatch watch = _told with { Unanswered = _detector.UnansweredToReport, Failures = _detector.RunToReport };
        foreach (EndpointState endpoint in present) endpoint.Health.Watch = watch;
    }

    private void Apply_NeedsLock(in EjectionDecision decision)
    {
        OutlierMember judged = decision.Member;
        string address = judged.Name;
        EndpointHealth health = _members.First(known => ReferenceEquals(known.Value, judged)).Key.Health;
        string before = HealthWords.StateOf(health.Faults), cause = HealthWords.CauseOf(decision.Reason);
        bool ejected = decision.Step == EjectionStep.Ejected;
        if (decision.Step != EjectionStep.Spared) health.Set(EndpointFaults.Ejected, ejected);
        if (ejected) _services.Ejections.Add(1, Pool.Name, cause);
        DateTimeOffset now = _services.Time.GetUtcNow();
        health.LastEntry = Note(now, address, before, HealthWords.StateOf(health.Faults), cause,
            HealthWords.DetailOf(decision, _model.Health, health.LastFailure), ejected ? now + decision.Length : null);
        if (decision.Step != EjectionStep.Spared) Pool.EndpointsChanged($"{address} is {HealthWords.StateOf(health.Faults)}");
    }

    private void NotePanic_NeedsLock(EndpointSet set)
    {
        _panic = set.IsPanic;
        int all = set.Standings.Count(static s => s.Reason != StandingReason.NoWeight), well = set.Standings.Count(static s => s.Reason == StandingReason.None);
        string detail = $"{well} of {all} endpoints are well, {(_panic ? "fewer than" : "not fewer than")} panicThreshold {_model.Plan.PanicThreshold} %: {(_panic ? "all are used" : "only those are used")}";
        _ = Note(_services.Time.GetUtcNow(), "", _panic ? HealthWords.Normal : HealthWords.Panic, _panic ? HealthWords.Panic : HealthWords.Normal, HealthWords.Panic, detail, null);
    }

    private LedgerEntry Note(DateTimeOffset now, string endpoint, string from, string to, string cause, string detail, DateTimeOffset? until)
    {
        string who = endpoint.Length == 0 ? "the pool" : endpoint;
        if (to is "healthy" or HealthWords.Normal) HealthLog.Better(_services.Log, Pool.Name, who, from, to, cause, detail);
        else HealthLog.Worse(_services.Log, Pool.Name, who, from, to, cause, detail);
        return Pool.Ledger.Add(now, endpoint, from, to, cause, detail, until);
    }
}
