using Gateway.Core.Breaker;
using Gateway.Core.Pool;
using Gateway.Core.Retry;
using Gateway.DataPlane.Obs;
using Gateway.DataPlane.Runtime;
using Microsoft.Extensions.Logging;

namespace Gateway.DataPlane.Proxy;

/// <summary>
/// Admits attempts, records how each ended, and says whether the request is sent once more. The one place where the breaker, the endpoint,
/// the counters and the budget are fed.
/// </summary>
internal sealed partial class AttemptJudge(ProxyServices services)
{
    private static readonly string[] BreakerLabels = ["closed", "half_open", "open"];

    /// <summary>
    /// Asks the breaker, then takes an endpoint, which is given back with <see cref="PoolModel.Leave"/>. Null: the attempt cannot be made,
    /// and the context says why; where it says nothing, <see cref="WaitAsync"/> is to be called.
    /// </summary>
    public EndpointModel? Admit(Exchange exchange, PoolModel pool)
    {
        RequestContext request = exchange.Context;
        AttemptProgress progress = exchange.Attempts;
        BreakerPermit permit = default;
        if (progress.Shared.Breaker is { } breaker)
        {
            long now = request.Attempts == 0 ? request.StartedAt : services.Time.GetTimestamp();
            bool entered = breaker.TryEnter(now, out permit);
            request.Breaker = BreakerLabels[(int)breaker.State];
            if (!entered)
            {
                request.RetryAfter = breaker.RetryAfter(now);
                request.Fail(ErrorCategory.CircuitOpen, "Too many requests to the pool have failed; it is left alone for a while.");
                return null;
            }
        }
        progress.BeginAttempt(permit);
        bool bounded = pool.Plan.MostRequests != 0;
        if ((!bounded || pool.State.Queue.Waiting == 0) && Take(exchange, pool) is { } endpoint) return Begin(request, endpoint);
        if (bounded && pool.Current.Levels.Length != 0) return null;
        Abandon(progress);
        request.Fail(ErrorCategory.NoEndpoint, "The pool has no endpoint to take the request.");
        return null;
    }

    /// <summary>An endpoint for a second attempt beside the first; null when there is no other, the breaker is not closed, or the budget is spent.</summary>
    public EndpointModel? AdmitSecond(Exchange exchange, Exchange second, PoolModel pool)
    {
        RouteAttempts shared = exchange.Attempts.Shared;
        if (TakeOther(exchange, pool) is not { } endpoint) return null;
        if (shared.Breaker is { State: not BreakerState.Closed }) return Refuse(pool, endpoint);
        long now = services.Time.GetTimestamp();
        ulong client = ClientKey.Of(exchange);
        if (!shared.TryTakeExtra(client, now))
        {
            exchange.Context.Route!.State.CountAttempts().Exhaust();
            return Refuse(pool, endpoint);
        }
        BreakerPermit permit = default;
        if (shared.Breaker?.TryEnter(now, out permit) == false)
        {
            shared.GiveBackExtra(client, now);
            return Refuse(pool, endpoint);
        }
        second.Attempts.Begin(shared);
        second.Attempts.BeginAttempt(permit);
        second.Context.Endpoint = endpoint;
        return endpoint;
    }

    /// <summary>Takes back what <see cref="AdmitSecond"/> has given: the attempt came too late to be made.</summary>
    public void DismissSecond(Exchange exchange, Exchange second, PoolModel pool)
    {
        exchange.Attempts.Shared.GiveBackExtra(ClientKey.Of(exchange), services.Time.GetTimestamp());
        Abandon(second.Attempts);
        pool.Leave(second.Context.Endpoint!);
    }

    /// <summary>Records an attempt: at its response's head, or when it has failed before that.</summary>
    /// <param name="status">The response's; not looked at when there is none.</param>
    public void Record(Exchange exchange, PoolModel pool, int status)
    {
        RequestContext request = exchange.Context;
        AttemptProgress progress = exchange.Attempts;
        // Called off, and not answered or failed in the moment before that.
        bool lost = request.Category == ErrorCategory.UpstreamTimeout && exchange.Race is { } race && race.HasLost(exchange);
        ErrorCategory category = lost ? ErrorCategory.ClientClosed : request.Category;
        AttemptResult result = AttemptResult.Of(category, status, request.UpstreamHeadersAt - request.UpstreamStartedAt);
        if (request.Category == ErrorCategory.RequestTimeout && !HadItsTime(exchange)) result = result with { Kind = AttemptKind.NotOfTheUpstream };
        progress.Result = result;
        pool.State.Metrics.RecordAttempt((int)category, result.Ticks);
        EndpointState endpoint = request.Endpoint!.State;
        bool isGuest = request.Route!.IsGuestIn(pool);
        if (lost) result = SeenOfLoser(exchange, pool, result, isGuest);
        endpoint.Record(isGuest && result.Kind is not (AttemptKind.Success or AttemptKind.ConnectFailed) ? result with { Kind = AttemptKind.NotOfTheUpstream } : result);
        // A failure that comes at once is no sign of speed; a timeout is one of slowness.
        if (!isGuest && !lost && pool.Plan.Balancing.IsByLatency && result.Kind is AttemptKind.Success or AttemptKind.Timeout) endpoint.Load.Observe(result.Ticks, request.UpstreamHeadersAt);
        // What was called off says nothing to a breaker: the pool has answered the request.
        if (progress.Shared.Breaker is not null) Leave(progress, OutcomeOf(progress.Result), request);
        if (progress.Shared.Latency is { } latency && result.HasResponse) latency.Record(result.Ticks, request.UpstreamHeadersAt);
    }

    /// <summary>
    /// The request's time ran out while an endpoint was to answer. That is a failure of the endpoint's where it had at least half of what
    /// an attempt may take to itself: what a queue, earlier attempts or a slow upload have used up is not its doing. Half, and not all, for
    /// a little always goes by before; less would blame those who come last.
    /// </summary>
    private bool HadItsTime(Exchange exchange)
    {
        // How long a client waits says nothing about the upstream: one that waits for a millisecond must not open a breaker for all.
        if (exchange.ClientDeadline.IsNearest) return false;
        RouteModel route = exchange.Context.Route!;
        TimeSpan allowed = route.AttemptTimeout != Timeout.InfiniteTimeSpan && route.AttemptTimeout < route.RequestTimeout ? route.AttemptTimeout : route.RequestTimeout;
        return services.Time.GetElapsedTime(0, exchange.Deadline.UpstreamHadAt(exchange.Context.UpstreamHeadersAt)) >= allowed / 2;
    }

    /// <summary>Whether an attempt of two is the one that the client gets, or that is tried again. To be asked after <see cref="Record"/>.</summary>
    public bool Decides(Exchange exchange)
    {
        if (exchange.Race!.Decides(exchange, good: exchange.Attempts.Result.Kind == AttemptKind.Success)) return true;
        // Nobody reads on: what is still to come of the response is cut off.
        exchange.Context.Fail(ErrorCategory.ClientClosed);
        return false;
    }

    /// <summary>The attempt is over, whatever came of it: what was not recorded counts for nothing.</summary>
    public void Abandon(AttemptProgress progress)
    {
        if (progress.TakePermit() is { IsHeld: true } permit) progress.Shared.Breaker!.Leave(permit, BreakerOutcome.Abandoned, services.Time.GetTimestamp());
    }

    /// <summary>
    /// Whether the request is sent once more. True: the failure is forgotten, the budget charged, and nothing of the attempt may go to the
    /// client. To be asked after <see cref="Record"/>, while nothing has been sent.
    /// </summary>
    /// <param name="retryAfter">The response's Retry-After; null without one.</param>
    public bool TryAgain(Exchange exchange, string? retryAfter)
    {
        RequestContext request = exchange.Context;
        AttemptProgress progress = exchange.Attempts;
        AttemptPlan plan = progress.Shared.Plan;
        AttemptResult result = progress.Result;
        if (request.Attempts >= plan.Retry.Attempts || result.Kind == AttemptKind.NotOfTheUpstream) return false;
        RetryConditions happened = ConditionOf(exchange);
        if (!plan.Retry.Allows(happened, result.Status, exchange.Downstream.Method, progress.NotProcessed)) return false;
        // What has been taken of the body and is not here cannot be sent again. Where the breaker has just opened, none of it would get through.
        if (!exchange.Kept.IsWhole || progress.Shared.Breaker is { State: not BreakerState.Closed }) return false;
        if (exchange.Deadline.Reason is not (ErrorCategory.None or ErrorCategory.UpstreamTimeout)) return false;

        TimeSpan pause = plan.Backoff.Delay(request.Attempts, PickRandom.PerThread.Next());
        if (retryAfter is not null && RetryAfter.TryParse(retryAfter, services.Time.GetUtcNow(), out TimeSpan asked) && asked > pause) pause = asked;
        if (pause >= exchange.Deadline.Remaining) return false;

        AttemptCounts counts = request.Route!.State.CountAttempts();
        if (!progress.Shared.TryTakeExtra(ClientKey.Of(exchange), services.Time.GetTimestamp()))
        {
            counts.Exhaust();
            return false;
        }
        counts.Retry(ReasonOf(happened));
        progress.Again(request.Endpoint!.State, pause);
        request.ForgetFailure();
        return true;
    }

    private void Leave(AttemptProgress progress, BreakerOutcome outcome, RequestContext request)
    {
        BreakerState? became = progress.Shared.Breaker!.Leave(progress.TakePermit(), outcome, request.UpstreamHeadersAt);
        if (became == BreakerState.Open) LogOpened(services.Log, request.Route!.Name, progress.Shared.Pool, progress.Shared.Breaker.RetryAfter(request.UpstreamHeadersAt));
        else if (became == BreakerState.Closed) LogClosed(services.Log, request.Route!.Name, progress.Shared.Pool);
    }

    private static BreakerOutcome OutcomeOf(in AttemptResult result) => result.Kind switch
    {
        AttemptKind.Success => BreakerOutcome.Success,
        AttemptKind.NotOfTheUpstream => BreakerOutcome.Abandoned,
        _ => BreakerOutcome.Failure,
    };

    private static RetryConditions ConditionOf(Exchange exchange) => exchange.Attempts.Result.Kind switch
    {
        AttemptKind.ConnectFailed => RetryConditions.Connect,
        AttemptKind.Timeout => RetryConditions.Timeout,
        AttemptKind.Reset when exchange.Attempts.NotProcessed => RetryConditions.Refused | RetryConditions.Reset,
        AttemptKind.Reset or AttemptKind.ProtocolError => RetryConditions.Reset,
        _ => RetryConditions.None,
    };

    private static RetryReason ReasonOf(RetryConditions happened) => happened switch
    {
        RetryConditions.None => RetryReason.Status,
        RetryConditions.Connect => RetryReason.Connect,
        RetryConditions.Timeout => RetryReason.Timeout,
        RetryConditions.Reset => RetryReason.Reset,
        _ => RetryReason.Refused,
    };

    [LoggerMessage(1003, LogLevel.Warning, "route '{Route}': the breaker towards pool '{Pool}' is open for {Open}")]
    private static partial void LogOpened(ILogger logger, string route, string pool, TimeSpan open);

    [LoggerMessage(1004, LogLevel.Information, "route '{Route}': the breaker towards pool '{Pool}' is closed")]
    private static partial void LogClosed(ILogger logger, string route, string pool);
}
