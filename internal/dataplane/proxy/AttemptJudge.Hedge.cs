using Gateway.Core.Outlier;
using Gateway.Core.Retry;
using Gateway.DataPlane.Runtime;

namespace Gateway.DataPlane.Proxy;

/// <summary>What is to be learnt of an attempt that was called off because the other one was answered.</summary>
internal sealed partial class AttemptJudge
{
    /// <summary>
    /// How long an endpoint must have been silent: longer than a pause of its process, in which all that is under way at it is called off
    /// together, and short enough that one which hangs is found within seconds although no client notices.
    /// </summary>
    private static readonly TimeSpan Silence = TimeSpan.FromSeconds(1);

    /// <summary>
    /// A loser was not given the time to fail, so it counts against its endpoint only as one of many: when it had waited for longer than 95 %
    /// of the route's answers take (or, before that is known, for as long as the route gives an attempt before a second one), and so had
    /// those before it, with no answer in between (<see cref="AttemptCounts.RecordSilent"/>). Then it is a timeout. Were each of them one, an
    /// endpoint that is well would be ejected for its slowest requests; were none, hedging would hide one that hangs for as long as it does.
    /// What it had waited is in any case less than its answer would have taken, and so much is known of its endpoint's latency.
    /// </summary>
    private AttemptResult SeenOfLoser(Exchange exchange, PoolModel pool, in AttemptResult result, bool isGuest)
    {
        RouteAttempts shared = exchange.Attempts.Shared;
        LatencyQuantile latency = shared.Latency!;
        EndpointState endpoint = exchange.Context.Endpoint!.State;
        long now = exchange.Context.UpstreamHeadersAt, waited = exchange.Deadline.UpstreamHadAt(now);
        // Of an endpoint that does not answer at all nothing is known about how long answers take.
        if (endpoint.Health.Counts.SilentRun < AttemptCounts.LongSilence) latency.RecordUnawaited(waited, now);
        if (isGuest) return result;
        if (pool.Plan.Balancing.IsByLatency) endpoint.Load.ObserveAtLeast(waited, now);
        long late = latency.Value;
        if (late == long.MaxValue) late = Ticks(shared.Plan.Hedge!.After ?? TimeSpan.MaxValue);
        if (waited < late) return result;
        return endpoint.Health.Counts.RecordSilent(waited, now, Ticks(Silence)) ? new AttemptResult(AttemptKind.Timeout, 0, waited) : result;
    }

    private long Ticks(TimeSpan span) => (long)Math.Min(long.MaxValue / 2, span.TotalSeconds * services.Time.TimestampFrequency);
}
