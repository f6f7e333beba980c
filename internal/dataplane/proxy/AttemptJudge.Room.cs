using Gateway.Core.Limits;
using Gateway.Core.Pool;
using Gateway.DataPlane.Runtime;
using Gateway.DataPlane.Transport;

namespace Gateway.DataPlane.Proxy;

/// <summary>Which endpoint an attempt gets, and the wait for one that has room where endpoints have a bound.</summary>
internal sealed partial class AttemptJudge
{
    /// <summary>
    /// Waits, after an <see cref="Admit"/> that found all endpoints full, until one has room. Null: none had in time, or the request ended
    /// meanwhile; the context says why. Ends on the client's loop.
    /// </summary>
    public async ValueTask<EndpointModel?> WaitAsync(Exchange exchange, PoolModel pool)
    {
        RequestContext request = exchange.Context;
        EndpointModel? taken = null;
        // Whoever makes room takes it for the one who waits, as that one would.
        Admission admission = await pool.State.Queue.WaitAsync(
            pool, () => (taken = Take(exchange, pool)) is not null, pool.Plan.Queue, exchange.Deadline.Token);
        if (exchange.Downstream.Loop is { } loop && EventLoop.Current != loop) await loop.Switch();
        if (admission == Admission.Admitted)
        {
            if (!exchange.Deadline.IsOver) return Begin(request, taken!);
            // The timer has yet to come to it, but nobody waits for the answer any more.
            exchange.Deadline.Cancel(ErrorCategory.RequestTimeout);
            pool.Leave(taken!);
            admission = Admission.Cancelled;
        }
        Abandon(exchange.Attempts);
        if (admission == Admission.Cancelled && AttemptFailure.Told(exchange, body: null)) return null;
        request.Fail(ErrorCategory.Overloaded, admission == Admission.QueueFull
            ? "Every endpoint of the pool has as many requests as it may, and as many wait as may."
            : "Every endpoint of the pool has as many requests as it may, and none of them ended in time.");
        return null;
    }

    private static EndpointModel Begin(RequestContext request, EndpointModel endpoint)
    {
        request.Endpoint = endpoint;
        request.Attempts++;
        return endpoint;
    }

    private static EndpointModel? Take(Exchange exchange, PoolModel pool)
    {
        EndpointPlan plan = pool.Plan;
        EndpointSet endpoints = pool.Current;
        PickContext context = plan.HashKey is { } key ? new PickContext(default, RequestHash.Of(exchange, key)) : default;
        if (exchange.Context.Attempts == 0)
            return plan.AffinityCookie is { } cookie ? AffinityCookie.Take(exchange, cookie, endpoints, context, plan.MostRequests) : endpoints.Take(context, plan.MostRequests);
        // To one that was not tried; when all were, to any: it may be well again, and there is nobody else.
        return endpoints.Take(context with { Excluded = exchange.Attempts.TriedIn(endpoints) }, plan.MostRequests) ?? endpoints.Take(context, plan.MostRequests);
    }

    /// <summary>Another endpoint than the one that the request is at. A second attempt waits for none, and overtakes nobody.</summary>
    private static EndpointModel? TakeOther(Exchange exchange, PoolModel pool)
    {
        if (pool.State.Queue.Waiting != 0) return null;
        EndpointSet endpoints = pool.Current;
        EndpointState first = exchange.Context.Endpoint!.State;
        ulong hash = pool.Plan.HashKey is { } key ? RequestHash.Of(exchange, key) : 0;
        EndpointModel? other = endpoints.Take(new PickContext(default(MemberSet).With(endpoints.IndexOf(first)), hash), pool.Plan.MostRequests);
        return other?.State == first ? Refuse(pool, other) : other;
    }

    private static EndpointModel? Refuse(PoolModel pool, EndpointModel endpoint)
    {
        pool.Leave(endpoint);
        return null;
    }
}
