using Gateway.Config;
using Gateway.Core.Limits;
using Gateway.DataPlane.Obs;
using Gateway.DataPlane.Policy.Overload;
using Gateway.DataPlane.Runtime;
using Gateway.DataPlane.Transport;

namespace Gateway.DataPlane.Server;

/// <summary>What is read from the server when metrics are scraped.</summary>
internal static class ServerMetrics
{
    public static void Register(GatewayMetrics metrics, SnapshotStore store, ListenerSet listeners, LeaseCounter inFlight, TimeProvider time)
    {
        metrics.ObserveGauge("connections", "Open client connections, by the listener they came in on.", ["listener"], readings =>
        {
            foreach (ListenerSet.RunningListener running in listeners.Running) readings.Add(running.Model.State.Connections.Open, running.Model.Name);
        });
        metrics.ObserveCounter("connections_rejected_total", "Client connections closed at once because of a limit: the listener's, or that of one address.", ["listener", "reason"], readings =>
        {
            foreach (ListenerSet.RunningListener running in listeners.Running)
            {
                ConnectionCount connections = running.Model.State.Connections;
                readings.Add(connections.RefusedByLimit, running.Model.Name, "connections");
                readings.Add(connections.RefusedByAddress, running.Model.Name, "connections_per_address");
                readings.Add(connections.RefusedByRate, running.Model.Name, "connection_rate_per_address");
                readings.Add(connections.RefusedByProcess, running.Model.Name, "descriptors");
            }
        });
        metrics.ObserveCounter("proxy_protocol_errors_total", "Client connections closed because the PROXY header that they must begin with was missing, malformed, too slow or not to be believed.", ["listener", "reason"], readings =>
        {
            foreach (ListenerSet.RunningListener running in listeners.Running)
            {
                if (running.Model.Config.ProxyProtocol == ProxyProtocolMode.Off) continue;
                foreach (ProxyHeaderFault fault in Enum.GetValues<ProxyHeaderFault>())
                    readings.Add(running.Model.State.ProxyHeaders[fault], running.Model.Name, ProxyHeaderCount.LabelOf(fault));
            }
        });
        metrics.ObserveGauge("connections_draining", "Open client connections of servers that were replaced or removed.", () => listeners.DrainingConnections);
        metrics.ObserveGauge("requests_in_flight", "Requests and upgraded connections in flight.", () => inFlight.Held);
        metrics.ObserveGauge("retired_snapshots", "Replaced snapshots that requests still hold.", () => store.RetiredCount);
        metrics.ObserveGauge("upstream_connections", "Open connections to endpoints, by whether a request uses them.", ["pool", "state"], 1, readings =>
        {
            foreach (PoolModel pool in store.Current?.Pools ?? []) Add(readings, pool);
        });
        metrics.ObserveCounter("upstream_responses_cut_total", "Responses that an endpoint cut off in their body, soon after their head: they count against it as attempts without an answer do.", ["pool"], readings =>
        {
            foreach (PoolModel pool in store.Current?.Pools ?? []) readings.Add(pool.State.Cuts, pool.Name);
        });
        metrics.ObserveGauge("upstream_queue_requests", "Requests that wait because every endpoint of the pool has as many as it may, or theirs as many connections.", ["pool"], readings =>
        {
            foreach (PoolModel pool in Bounded(store)) readings.Add(pool.State.Queue.Waiting + pool.State.Connections.Waiting, pool.Name);
        });
        metrics.ObserveCounter("upstream_queue_rejections_total", "Requests turned away because every endpoint of the pool had as many as it may, or theirs as many connections: full, as many waited as may; timeout, none came free in time.", ["pool", "reason"], readings =>
        {
            foreach (PoolModel pool in Bounded(store))
            {
                readings.Add(pool.State.Queue.Full + pool.State.Connections.Full, pool.Name, "full");
                readings.Add(pool.State.Queue.TimedOut + pool.State.Connections.TimedOut, pool.Name, "timeout");
            }
        });
        metrics.ObserveGauge("overload_requests", "Requests of routes with a bound, by whether they run or wait.", ["route", "state"], 1, readings =>
        {
            foreach (RouteModel route in store.Current?.Routes ?? [])
            {
                if (route.State.KnownLimiter is not { } limiter) continue;
                readings.Add(limiter.InFlight, route.Name, "running");
                readings.Add(limiter.Waiting, route.Name, "waiting");
            }
        });
        metrics.ObserveGauge("concurrency_limit", "Requests that an adaptive limit lets run at once.", ["route"], readings =>
        {
            foreach ((RouteModel route, GradientLimit limit) in Adaptive(store)) readings.Add(limit.Limit, route.Name);
        });
        metrics.ObserveGauge("concurrency_baseline_seconds", "The latency without queueing that an adaptive limit goes by; 0 before it is known.", ["route"], readings =>
        {
            foreach ((RouteModel route, GradientLimit limit) in Adaptive(store)) readings.Add(limit.Baseline / time.TimestampFrequency, route.Name);
        });
        metrics.ObserveGauge("endpoint_healthy", "Whether nothing is known against an endpoint: 1 or 0.", ["pool", "endpoint"], readings =>
        {
            foreach (PoolModel pool in store.Current?.Pools ?? [])
            {
                foreach (EndpointModel endpoint in pool.Current.Endpoints) readings.Add(endpoint.State.Health.IsUsable ? 1 : 0, pool.Name, endpoint.Address);
            }
        });
    }

    private static IEnumerable<(RouteModel, GradientLimit)> Adaptive(SnapshotStore store)
    {
        // Its state may have one of an earlier document.
        foreach (RouteModel route in store.Current?.Routes ?? [])
        {
            if (route.State.KnownGradient is { } limit && route.Filters.Any(static filter => filter is OverloadFilter { IsAdaptive: true })) yield return (route, limit);
        }
    }

    private static IEnumerable<PoolModel> Bounded(SnapshotStore store) => (store.Current?.Pools ?? []).Where(static pool => pool.Plan.MostRequests != 0 || pool.Plan.MostConnections != 0);

    private static void Add(GaugeReadings readings, PoolModel pool)
    {
        int open = 0, active = 0;
        foreach (EndpointModel endpoint in pool.Current.Endpoints)
        {
            int connections = endpoint.Upstream.Connections;
            open += connections;
            // An HTTP/2 connection carries many requests: it is active once.
            active += Math.Min(connections, endpoint.Upstream.Load.InFlight);
        }
        readings.Add(active, pool.Name, "active");
        readings.Add(open - active, pool.Name, "idle");
    }

    public static void RegisterGate(GatewayMetrics metrics, AcceptGate gate)
    {
        metrics.ObserveGauge("accept_paused", "Whether no connections are accepted because the memory is nearly used up: 1 or 0.", () => gate.IsClosed ? 1 : 0);
        metrics.ObserveCounter("accept_pauses_total", "How often accepting was stopped because the memory was nearly used up.", [], readings => readings.Add(gate.Closings));
    }

    public static void RegisterLoops(GatewayMetrics metrics, LoopWatchdog watchdog) => metrics.ObserveCounter(
        "event_loop_stalls_total", "Times that an event loop did not turn for 50 ms, so that all its connections waited.", ["loop"], readings =>
        {
            foreach ((string loop, long stalls) in watchdog.Stalls()) readings.Add(stalls, loop);
        });
}
