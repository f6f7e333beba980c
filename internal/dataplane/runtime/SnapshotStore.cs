namespace Gateway.DataPlane.Runtime;

/// <summary>
/// Publishes the one current snapshot. <see cref="Acquire"/> is called once per request and never blocks; <see cref="Publish"/> is called
/// by one writer at a time (the apply queue).
/// </summary>
internal sealed class SnapshotStore
{
    private GatewaySnapshot? _current;
    private readonly Lock _gate = new();
    private readonly List<GatewaySnapshot> _retired = [];

    public GatewaySnapshot? Current => Volatile.Read(ref _current);

    /// <summary>Raised outside the lock, once for each retired snapshot that no request holds any more.</summary>
    public event Action<GatewaySnapshot>? Released;

    /// <summary>The current snapshot, held until <see cref="Release"/>. Must not be called before the first <see cref="Publish"/>.</summary>
    public GatewaySnapshot Acquire()
    {
        while (true)
        {
            GatewaySnapshot snapshot = Volatile.Read(ref _current)!;
            snapshot.Leases.Enter();
            // A lease counts only if the snapshot was still current after it was taken: so a retired one, once free, stays free.
            if (ReferenceEquals(snapshot, Volatile.Read(ref _current))) return snapshot;
            Release(snapshot);
        }
    }

    public void Release(GatewaySnapshot snapshot)
    {
        snapshot.Leases.Leave();
        if (!ReferenceEquals(snapshot, Volatile.Read(ref _current))) ReleaseRetired();
    }

    /// <summary>Makes <paramref name="next"/> current with one write and returns the one it replaced.</summary>
    public GatewaySnapshot? Publish(GatewaySnapshot next)
    {
        GatewaySnapshot? previous;
        lock (_gate)
        {
            previous = Interlocked.Exchange(ref _current, next);
            if (previous is not null && !ReferenceEquals(previous, next)) _retired.Add(previous);
        }
        ReleaseRetired();
        return previous;
    }

    /// <summary>Snapshots that were replaced and that requests still hold.</summary>
    public int RetiredCount
    {
        get
        {
            ReleaseRetired();
            lock (_gate) return _retired.Count;
        }
    }

    private void ReleaseRetired()
    {
        List<GatewaySnapshot>? free = null;
        lock (_gate)
        {
            for (int i = _retired.Count - 1; i >= 0; i--)
            {
                if (_retired[i].Leases.Held != 0) continue;
                (free ??= []).Add(_retired[i]);
                _retired.RemoveAt(i);
            }
        }
        if (free is null) return;
        foreach (GatewaySnapshot snapshot in free) Released?.Invoke(snapshot);
    }
}
