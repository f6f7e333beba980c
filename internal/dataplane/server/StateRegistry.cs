using Gateway.DataPlane.Obs;
using Gateway.DataPlane.Runtime;
using Gateway.DataPlane.TlsStore;
using Gateway.DataPlane.Transport;
using Microsoft.Extensions.Logging;

namespace Gateway.DataPlane.Server;

/// <summary>
/// What survives applies, by stable id, counted by the published snapshots that refer to it. A candidate takes what is live by
/// <c>Find…</c>, makes what is not, and enters it with <see cref="TryAdopt"/>; what no snapshot refers to any more is released as soon as
/// nothing uses it. Thread safe.
/// </summary>
internal sealed class StateRegistry(GatewayMetrics metrics, TimeProvider time, ILogger logger)
{
    /// <param name="Trial">As <see cref="SharedState.Trial"/>.</param>
    public readonly record struct NameKey(string Name, ushort Trial);

    /// <param name="Trial">As <see cref="SharedState.Trial"/>.</param>
    public readonly record struct EndpointKey(string Pool, string Address, ushort Trial);

    public sealed record UpstreamKey(string Pool, UpstreamSettings Settings);

    private readonly Lock _gate = new();
    private readonly StateTable<string, ListenerState> _listeners = new(static state => state.Name);
    private readonly StateTable<NameKey, RouteState> _routes = new(static state => new NameKey(state.Name, state.Trial));
    private readonly StateTable<NameKey, PoolState> _pools = new(static state => new NameKey(state.Name, state.Trial));
    private readonly StateTable<EndpointKey, EndpointState> _endpoints = new(static state => new EndpointKey(state.Pool, state.Address, state.Trial));
    private readonly StateTable<UpstreamKey, Upstream> _upstreams = new(static upstream => (UpstreamKey)upstream.Key!);
    private readonly StateTable<CertificateKey, CertificateState> _certificates = new(static state => state.Key);
    private readonly StateTable<object, EndpointDiscovery> _discoveries = new(static discovery => discovery.Key);
    private readonly SlotPool _slots = new();

    // Without a reference, still in use. Few: upgraded connections of endpoints that are gone, connections of listeners that are gone.
    private readonly HashSet<SharedState> _lingering = [];

    // A request that has read a pool's set and not counted itself in yet may still come to an endpoint that left with the next set. It is a
    // few instructions away from that; should it be stopped for longer all the same, it fails as if the endpoint had closed the connection.
    private static readonly TimeSpan DepartureGrace = TimeSpan.FromSeconds(2);

    // What models had before discovery gave them others: referred to until the grace is over.
    private readonly Queue<(EndpointModel[] Endpoints, long Since)> _departing = new();

    public GatewayMetrics Metrics => metrics;

    public ListenerState? FindListener(string name) { lock (_gate) return _listeners.TryGet(name, out ListenerState? state) ? state : null; }

    public RouteState? FindRoute(NameKey key) { lock (_gate) return _routes.TryGet(key, out RouteState? state) ? state : null; }

    public PoolState? FindPool(NameKey key) { lock (_gate) return _pools.TryGet(key, out PoolState? state) ? state : null; }

    public EndpointState? FindEndpoint(EndpointKey key) { lock (_gate) return _endpoints.TryGet(key, out EndpointState? state) ? state : null; }

    public Upstream? FindUpstream(UpstreamKey key) { lock (_gate) return _upstreams.TryGet(key, out Upstream? upstream) ? upstream : null; }

    public EndpointDiscovery? FindDiscovery(object key) { lock (_gate) return _discoveries.TryGet(key, out EndpointDiscovery? discovery) ? discovery : null; }

    public CertificateState? FindCertificate(CertificateKey key) { lock (_gate) return _certificates.TryGet(key, out CertificateState? state) ? state : null; }

    /// <summary>All live states, those that linger included.</summary>
    public int Count
    {
        get { lock (_gate) return _listeners.Count + _routes.Count + _pools.Count + _endpoints.Count + _upstreams.Count + _certificates.Count + _discoveries.Count; }
    }

    /// <summary>
    /// Makes the candidate's states live and refers to all of them. False, and nothing has changed, when the candidate is stale: since its
    /// compile a state it took was released, or another candidate brought one of the same id. Then it must be compiled again.
    /// </summary>
    public bool TryAdopt(GatewaySnapshot snapshot)
    {
        lock (_gate)
        {
            if (!MayAdopt_NeedsLock(snapshot)) return false;
            Refer_NeedsLock(snapshot);
            GiveSlots_NeedsLock(snapshot);
            return true;
        }
    }

    /// <summary>One more reference to everything a snapshot refers to that was adopted and not released yet. Ends with <see cref="Release"/>.</summary>
    public void Hold(GatewaySnapshot snapshot)
    {
        lock (_gate) Refer_NeedsLock(snapshot);
    }

    public void Release(GatewaySnapshot snapshot)
    {
        List<SharedState> gone = [];
        lock (_gate)
        {
            foreach (ListenerModel listener in snapshot.Listeners)
            {
                if (StateTable<string, ListenerState>.Unrefer(listener.State)) _lingering.Add(listener.State);
                foreach (CertificateState certificate in CertificatesOf(listener)) if (StateTable<CertificateKey, CertificateState>.Unrefer(certificate)) _lingering.Add(certificate);
            }
            foreach (RouteModel route in snapshot.Routes) if (StateTable<NameKey, RouteState>.Unrefer(route.State)) _lingering.Add(route.State);
            foreach (PoolModel pool in snapshot.Pools)
            {
                if (StateTable<NameKey, PoolState>.Unrefer(pool.State)) _lingering.Add(pool.State);
                if (--pool.References != 0) continue;
                pool.State.Detach(pool);
                if (pool.Source is { Discovery: var discovery })
                {
                    discovery.Followers.Remove(pool);
                    if (StateTable<object, EndpointDiscovery>.Unrefer(discovery)) _lingering.Add(discovery);
                }
                Unrefer_NeedsLock(pool.Endpoints);
            }
            Sweep_NeedsLock(gone);
        }
        Retire(gone);
    }

    /// <summary>Ends all searches for endpoints: the process stops.</summary>
    public void StopDiscovery()
    {
        lock (_gate)
        {
            foreach (EndpointDiscovery discovery in _discoveries.All) discovery.Retire();
        }
    }

    /// <summary>Releases what has come out of use meanwhile. Called now and then.</summary>
    public void Sweep()
    {
        List<SharedState> gone = [];
        lock (_gate) Sweep_NeedsLock(gone);
        Retire(gone);
    }

    private bool MayAdopt_NeedsLock(GatewaySnapshot snapshot)
    {
        foreach (ListenerModel listener in snapshot.Listeners)
        {
            if (!_listeners.MayRefer(listener.State)) return false;
            foreach (CertificateState certificate in CertificatesOf(listener)) if (!_certificates.MayRefer(certificate)) return false;
        }
        foreach (RouteModel route in snapshot.Routes) if (!_routes.MayRefer(route.State)) return false;
        foreach (PoolModel pool in snapshot.Pools)
        {
            if (!_pools.MayRefer(pool.State)) return false;
            if (pool.Source is { } source && !_discoveries.MayRefer(source.Discovery)) return false;
            foreach (EndpointModel endpoint in pool.Endpoints)
            {
                if (!_endpoints.MayRefer(endpoint.State) || !_upstreams.MayRefer(endpoint.Upstream)) return false;
            }
        }
        return true;
    }

    private void Refer_NeedsLock(GatewaySnapshot snapshot)
    {
        foreach (ListenerModel listener in snapshot.Listeners)
        {
            _listeners.Refer(listener.State);
            foreach (CertificateState certificate in CertificatesOf(listener)) _certificates.Refer(certificate);
        }
        foreach (RouteModel route in snapshot.Routes) if (_routes.Refer(route.State)) metrics.Attach(route.State.Metrics);
        foreach (PoolModel pool in snapshot.Pools)
        {
            if (_pools.Refer(pool.State)) metrics.Attach(pool.State.Metrics);
            // Its endpoints may come and go while snapshots have it, so they are counted by pool and not by snapshot.
            if (pool.References++ != 0) continue;
            pool.State.Attach(pool);
            Refer_NeedsLock(pool.Endpoints);
            if (pool.Source is { Discovery: var discovery }) Follow_NeedsLock(pool, discovery);
        }
    }

    private void Refer_NeedsLock(EndpointModel[] endpoints)
    {
        foreach (EndpointModel endpoint in endpoints)
        {
            _endpoints.Refer(endpoint.State);
            _upstreams.Refer(endpoint.Upstream);
        }
    }

    private void Unrefer_NeedsLock(EndpointModel[] endpoints)
    {
        foreach (EndpointModel endpoint in endpoints)
        {
            if (StateTable<EndpointKey, EndpointState>.Unrefer(endpoint.State)) _lingering.Add(endpoint.State);
            if (StateTable<UpstreamKey, Upstream>.Unrefer(endpoint.Upstream)) _lingering.Add(endpoint.Upstream);
        }
    }

    private void Follow_NeedsLock(PoolModel pool, EndpointDiscovery discovery)
    {
        discovery.Followers.Add(pool);
        if (_discoveries.Refer(discovery))
        {
            discovery.Changed = Found;
            discovery.Start();
        }
        // It found something else between the compile and now.
        if (!ReferenceEquals(discovery.Found, pool.Found)) Replace_NeedsLock(pool, discovery.Found);
    }

    private void Found(EndpointDiscovery discovery)
    {
        lock (_gate)
        {
            foreach (PoolModel pool in discovery.Followers) Replace_NeedsLock(pool, discovery.Found);
        }
    }

    private void Replace_NeedsLock(PoolModel pool, IReadOnlyList<DiscoveredEndpoint> found)
    {
        EndpointModel[] before = pool.Endpoints, now = pool.Source!.Make(found);
        pool.Found = found;
        Refer_NeedsLock(now);
        pool.State.Replace(pool, now, "discovery");
        _departing.Enqueue((before, time.GetTimestamp()));
    }

    private void GiveSlots_NeedsLock(GatewaySnapshot snapshot)
    {
        foreach (ListenerModel listener in snapshot.Listeners)
        {
            if (listener.State.Slot < 0) listener.State.Slot = _slots.Take();
        }
        ListenerModel?[] bySlot = new ListenerModel?[_slots.Bound];
        foreach (ListenerModel listener in snapshot.Listeners) bySlot[listener.State.Slot] = listener;
        snapshot.ListenersBySlot = bySlot;
    }

    private void Sweep_NeedsLock(List<SharedState> gone)
    {
        while (_departing.TryPeek(out (EndpointModel[] Endpoints, long Since) first) && time.GetElapsedTime(first.Since) >= DepartureGrace)
        {
            _departing.Dequeue();
            Unrefer_NeedsLock(first.Endpoints);
        }
        if (_lingering.Count == 0) return;
        _lingering.RemoveWhere(state =>
        {
            // Referred to again by a later snapshot.
            if (state.References != 0) return true;
            bool released = state switch
            {
                ListenerState it => _listeners.TryRelease(it),
                RouteState it => _routes.TryRelease(it),
                PoolState it => _pools.TryRelease(it),
                EndpointState it => _endpoints.TryRelease(it),
                Upstream it => _upstreams.TryRelease(it),
                CertificateState it => _certificates.TryRelease(it),
                EndpointDiscovery it => _discoveries.TryRelease(it),
                _ => false,
            };
            if (!released) return false;
            if (state is ListenerState { Slot: var slot }) _slots.Return(slot);
            // In the lock: a route of the same name may come back the next moment, and metrics go by name.
            else if (state is RouteState route) metrics.Detach(route.Metrics);
            else if (state is PoolState pool) metrics.Detach(pool.Metrics);
            gone.Add(state);
            return true;
        });
    }

    private void Retire(List<SharedState> gone)
    {
        foreach (SharedState state in gone)
        {
            try
            {
                state.Retire();
            }
            catch (Exception failure)
            {
                ServerLog.ReleaseFailed(logger, state.GetType().Name, failure);
            }
        }
    }

    private static CertificateState[] CertificatesOf(ListenerModel listener) => (listener.Tls as ServerTls)?.Certificates ?? [];
}
