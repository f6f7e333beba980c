using Gateway.Core.Limits;
using Gateway.DataPlane.Obs;

namespace Gateway.DataPlane.Runtime;

/// <summary>
/// A pool across snapshots, by name. Knows its models in the snapshots that are in use and has them follow the endpoints: the second lane
/// of change, beside the snapshot's.
/// </summary>
internal sealed class PoolState(string name, PoolMetrics metrics, TimeProvider time) : SharedState
{
    private readonly Lock _rebuilding = new();
    private readonly List<PoolModel> _models = [];
    private long _changes, _cuts;
    private int _asked;
    private string? _lastChange;
    private Action? _rebuilt;
    private ConnectionQueue? _connections;

    public string Name { get; } = name;
    public PoolMetrics Metrics { get; } = metrics;
    public HealthLedger Ledger { get; } = new();

    /// <summary>Responses that endpoints cut off soon after their heads, since the start.</summary>
    public long Cuts => Volatile.Read(ref _cuts);

    public void CountCut() => Interlocked.Increment(ref _cuts);

    /// <summary>Requests that wait for a connection to the endpoint that they have.</summary>
    public ConnectionQueue Connections => Volatile.Read(ref _connections) ?? Interlocked.CompareExchange(ref _connections, new ConnectionQueue(), null) ?? _connections;

    /// <summary>Requests that wait until an endpoint has room for them.</summary>
    public RoomQueue Queue { get; } = new(time);

    /// <summary>Called after each rebuild, on a thread of the pool's; null for nobody. Set by the one who watches over the pool.</summary>
    internal Action? Rebuilt
    {
        get => Volatile.Read(ref _rebuilt);
        set => Volatile.Write(ref _rebuilt, value);
    }

    /// <summary>The clock of the requests' timestamps.</summary>
    public TimeProvider Time { get; } = time;

    /// <summary>How often the endpoints have changed.</summary>
    public long Changes => Volatile.Read(ref _changes);

    /// <summary>Why they changed last; null when they never have.</summary>
    public string? LastChange => Volatile.Read(ref _lastChange);

    /// <summary>
    /// To be called after something that says whether an endpoint is used has changed. Soon after, on a thread of the pool's, every model in
    /// use has a set that takes account of it; calls that come meanwhile are served by the same rebuild. Never blocks.
    /// </summary>
    /// <param name="why">For a person: what has changed.</param>
    public void EndpointsChanged(string why)
    {
        Volatile.Write(ref _lastChange, why);
        Interlocked.Increment(ref _changes);
        AskForRebuild();
    }

    /// <summary>The model is in a published snapshot from now on.</summary>
    internal void Attach(PoolModel model)
    {
        lock (_rebuilding)
        {
            _models.Add(model);
            NoteUsable_NeedsLock(model);
        }
        // Something changed between its compile and now, when nobody knew of it.
        if (model.Current.Change != Changes) AskForRebuild();
    }

    /// <summary>No snapshot has the model any more.</summary>
    internal void Detach(PoolModel model)
    {
        lock (_rebuilding) _models.Remove(model);
    }

    /// <summary>Gives a model other endpoints. When it returns, requests pick among them.</summary>
    internal void Replace(PoolModel model, EndpointModel[] endpoints, string why)
    {
        lock (_rebuilding)
        {
            Volatile.Write(ref _lastChange, why);
            Interlocked.Increment(ref _changes);
            model.Replace(endpoints);
            NoteUsable_NeedsLock(model);
            model.Rebuild();
        }
        // The pool's other models, and who waits for a rebuild.
        AskForRebuild();
    }

    private void AskForRebuild()
    {
        if (Interlocked.Exchange(ref _asked, 1) == 0) ThreadPool.UnsafeQueueUserWorkItem(static state => state.Rebuild(), this, preferLocal: false);
    }

    private void Rebuild()
    {
        lock (_rebuilding)
        {
            // Before anything is read: who changes something now asks again.
            Interlocked.Exchange(ref _asked, 0);
            foreach (PoolModel model in _models) NoteUsable_NeedsLock(model);
            foreach (PoolModel model in _models) model.Rebuild();
        }
        // An endpoint that has come or has recovered has room.
        Queue.Serve();
        Rebuilt?.Invoke();
    }

    private void NoteUsable_NeedsLock(PoolModel model)
    {
        long now = Time.GetTimestamp();
        foreach (EndpointModel endpoint in model.Endpoints) endpoint.State.NoteUsable(now);
    }
}
