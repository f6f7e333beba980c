namespace Gateway.DataPlane.Runtime;

/// <summary>
/// Publishes the one current snapshot and, while a candidate is tried, that one beside it. A request reads both as one value and holds the
/// one it is bound to; that never blocks. Everything that changes it is called by one writer at a time, but for <see cref="EndCanary"/> and
/// <see cref="SetShare"/>, which anyone may call at any time.
/// </summary>
internal sealed class SnapshotStore
{
    private Serving? _serving;
    private readonly Lock _gate = new();
    private readonly List<GatewaySnapshot> _retired = [];

    /// <summary>What new requests are served from; null before the first <see cref="Publish"/>.</summary>
    public Serving? Serving => Volatile.Read(ref _serving);

    public GatewaySnapshot? Current => Serving?.Live;

    /// <summary>Raised outside the lock, once for each retired snapshot that no request holds any more.</summary>
    public event Action<GatewaySnapshot>? Released;

    /// <summary>The current snapshot, held until <see cref="Release"/>. Must not be called before the first <see cref="Publish"/>.</summary>
    public GatewaySnapshot Acquire()
    {
        while (true)
        {
            Serving serving = Serving!;
            if (TryHold(serving, serving.Live)) return serving.Live;
        }
    }

    /// <summary>Holds one of the two snapshots of what was read; false, and nothing is held, when that has changed meanwhile.</summary>
    public bool TryHold(Serving serving, GatewaySnapshot snapshot)
    {
        snapshot.Leases.Enter();
        // A lease counts only if the snapshot was still served from after it was taken: so a retired one, once free, stays free.
        if (ReferenceEquals(serving, Serving)) return true;
        Release(snapshot);
        return false;
    }

    public void Release(GatewaySnapshot snapshot)
    {
        snapshot.Leases.Leave();
        if (!Serving!.Has(snapshot)) ReleaseRetired();
    }

    /// <summary>
    /// Makes <paramref name="next"/> current with one write and returns the one it replaced. A candidate beside that one is retired by the
    /// same write.
    /// </summary>
    public GatewaySnapshot? Publish(GatewaySnapshot next) => Change(_ => new Serving(next))?.Live;

    /// <summary>Lets a candidate serve beside the current snapshot. Not while another does.</summary>
    public void BeginCanary(CanaryRun run, int units) => Change(before => new Serving(before!.Live, run, units));

    /// <summary>False: there is no candidate.</summary>
    public bool SetShare(int units) => Change(before => before?.Canary is null ? before : new Serving(before.Live, before.Canary, units))?.Canary is not null;

    /// <summary>No new request is bound to the candidate any more. Null: there was none.</summary>
    public CanaryRun? EndCanary() => Change(before => before?.Canary is null ? before : new Serving(before.Live))?.Canary;

    /// <summary>Snapshots that were replaced and that requests still hold.</summary>
    public int RetiredCount
    {
        get
        {
            ReleaseRetired();
            lock (_gate) return _retired.Count;
        }
    }

    private Serving? Change(Func<Serving?, Serving?> change)
    {
        Serving? before;
        lock (_gate)
        {
            before = _serving;
            Serving? now = change(before);
            Interlocked.Exchange(ref _serving, now);
            if (before is not null && !now!.Has(before.Live)) _retired.Add(before.Live);
            if (before?.Canary is { } run && !now!.Has(run.Candidate)) _retired.Add(run.Candidate);
        }
        ReleaseRetired();
        return before;
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
