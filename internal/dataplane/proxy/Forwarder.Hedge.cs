using System.Runtime.CompilerServices;
using Gateway.Core.Retry;
using Gateway.DataPlane.Runtime;
using Gateway.DataPlane.Transport;

namespace Gateway.DataPlane.Proxy;

/// <summary>
/// Hedging: 1. the first attempt runs as always; 2. when it has no answer after the route's time, a second one is made at another endpoint,
/// with an exchange of its own beside the request's; 3. the first good response goes to the client, the other attempt is cancelled; 4. when
/// both have ended, what came of the one that decided is what came of the request.
/// </summary>
internal sealed partial class Forwarder
{
    /// <summary>The time that the first attempt has for itself; null when there is to be no second.</summary>
    private TimeSpan? HedgeAfter(Exchange exchange)
    {
        RouteAttempts shared = exchange.Attempts.Shared;
        if (shared.Plan.Hedge is not { } hedge || exchange.Context.Attempts != 1) return null;
        KestrelDownstream client = exchange.Downstream;
        if (!Methods.IsSafe(client.Method) || client.HasRequestBody || client.UpgradeProtocol is not null) return null;
        if (hedge.After is { } after) return after;
        long quantile = shared.Latency!.Value;
        return quantile == long.MaxValue ? null : _services.Time.GetElapsedTime(0, quantile);
    }

    /// <summary>What is left of it for an attempt that may have begun.</summary>
    private TimeSpan? HedgeAfter(Exchange exchange, BegunAttempt? begun)
    {
        if (begun?.Connection is null) return HedgeAfter(exchange);
        if (begun.HasHead || begun.HedgeAt == long.MaxValue) return null;
        TimeSpan left = _services.Time.GetElapsedTime(_services.Time.GetTimestamp(), begun.HedgeAt);
        return left > TimeSpan.Zero ? left : TimeSpan.Zero;
    }

    [AsyncMethodBuilder(typeof(LoopTaskMethodBuilder))]
    private async ValueTask HedgedAttemptAsync(Exchange exchange, RouteModel route, EndpointModel endpoint, TimeSpan after, BegunAttempt? begun)
    {
        HedgeRace race = exchange.BeginRace();
        ValueTask first = FirstAttemptAsync(exchange, route, endpoint, race, begun);
        Exchange? other = null;
        ValueTask second = default;
        try
        {
            if (!first.IsCompleted && await race.WaitAsync(after) && Join(exchange, route, race, out EndpointModel? target) is { } joined)
            {
                other = joined;
                second = AttemptAsync(other, route, target!, bodyLimit: 0);
            }
        }
        finally
        {
            try
            {
                await first;
            }
            finally
            {
                await second;
                exchange.Race = null;
                if (other is not null) EndSecond(exchange, other, race);
            }
        }
    }

    [AsyncMethodBuilder(typeof(LoopTaskMethodBuilder))]
    private async ValueTask FirstAttemptAsync(Exchange exchange, RouteModel route, EndpointModel endpoint, HedgeRace race, BegunAttempt? begun)
    {
        try
        {
            await AttemptAsync(exchange, route, endpoint, bodyLimit: 0, begun);
        }
        finally
        {
            race.EndFirst();
        }
    }

    /// <summary>The exchange for a second attempt; null when there is to be none: too late, nobody else to ask, or no budget.</summary>
    private Exchange? Join(Exchange exchange, RouteModel route, HedgeRace race, out EndpointModel? target)
    {
        target = null;
        if (race.Decided is not null) return null;
        Exchange other = exchange.TakeSecond();
        target = _judge.AdmitSecond(exchange, other, route.Pool!);
        if (target is null)
        {
            other.EndSecond();
            return null;
        }
        TimeSpan time = exchange.ClientDeadline.IsNearest ? exchange.ClientDeadline.Time : route.RequestTimeout;
        other.Deadline.Begin(exchange.Context.StartedAt, time);
        // Who leaves, leaves both.
        exchange.Deadline.Follower = other.Deadline;
        other.Race = race;
        if (race.TryJoin(other))
        {
            if (exchange.Downstream.IsGone) other.Deadline.Cancel(ErrorCategory.ClientClosed);
            return other;
        }
        exchange.Deadline.Follower = null;
        other.Deadline.End();
        _judge.DismissSecond(exchange, other, route.Pool!);
        other.EndSecond();
        return null;
    }

    private static void EndSecond(Exchange exchange, Exchange other, HedgeRace race)
    {
        exchange.Deadline.Follower = null;
        bool won = ReferenceEquals(race.Decided, other);
        exchange.Context.Route!.State.CountAttempts().Hedge(won && other.Context.Category == ErrorCategory.None);
        if (won)
        {
            exchange.Attempts.TakeOutcome(other.Attempts);
            exchange.Context.TakeOutcome(other.Context);
        }
        else if (exchange.Attempts.IsAgain) exchange.Attempts.NoteTried(other.Context.Endpoint!.State);
        other.Deadline.End();
        other.EndSecond();
    }
}
