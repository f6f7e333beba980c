using Gateway.Core.Breaker;
using Gateway.DataPlane.Runtime;

namespace Gateway.DataPlane.Proxy;

/// <summary>What becomes of an attempt after its response's head.</summary>
internal sealed partial class AttemptJudge
{
    /// <summary>
    /// A response that an endpoint cuts off within this time of its head counts against it, as the last bucket of a breaker's default window
    /// would. One that has lasted for longer, such as a stream of events or a large download, has worked: that it ends with its endpoint, as
    /// hundreds of them do at a restart, must not open a breaker towards the others.
    /// </summary>
    private static readonly TimeSpan CutWithin = TimeSpan.FromSeconds(10);

    /// <summary>The attempt is over. A response that counted as a success at its head, and that the endpoint cut off since, counts as the failure that it was.</summary>
    public void End(Exchange exchange, RouteModel route, EndpointState endpoint)
    {
        Abandon(exchange.Attempts);
        if (exchange.Attempts.Result.Kind != AttemptKind.Success) return;
        switch (exchange.Context.Category)
        {
            case ErrorCategory.None:
                endpoint.Health.Counts.RecordWhole();
                break;
            // Whoever else it was: the client, or the time that the whole request may take, which the client may have used up.
            case ErrorCategory.UpstreamReset or ErrorCategory.UpstreamProtocolError or ErrorCategory.UpstreamTimeout:
                // Who has had its bytes once the protocol has changed is nobody's response any more.
                if (exchange.Downstream.UpgradeProtocol is null) RecordCut(exchange, route, endpoint);
                break;
        }
    }

    private void RecordCut(Exchange exchange, RouteModel route, EndpointState endpoint)
    {
        RequestContext request = exchange.Context;
        AttemptProgress progress = exchange.Attempts;
        long now = services.Time.GetTimestamp();
        TimeSpan lasted = services.Time.GetElapsedTime(request.UpstreamHeadersAt, now);
        if (request.Category == ErrorCategory.UpstreamTimeout) lasted -= route.IdleTimeout;
        if (lasted > CutWithin) return;
        AttemptKind kind = AttemptResult.Of(request.Category, progress.Result.Status, 0).Kind;
        if (!route.IsGuestIn(route.Pool!)) endpoint.Health.RecordCut(kind, progress.Result.Status);
        route.Pool!.State.CountCut();
        if (progress.Shared.Breaker?.TakeBack(progress.LeftPermit, now) == BreakerState.Open)
            LogOpened(services.Log, request.Route!.Name, progress.Shared.Pool, progress.Shared.Breaker.RetryAfter(now));
    }
}
