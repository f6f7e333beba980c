using System.Diagnostics;
using System.IO.Pipelines;
using Gateway.DataPlane.Proxy.Direct;
using Gateway.DataPlane.Proxy.Http1;
using Gateway.DataPlane.Runtime;
using Gateway.DataPlane.Transport;

namespace Gateway.DataPlane.Proxy;

/// <summary>
/// What most requests come to, without an asynchronous method: an endpoint is there at once, a kept connection takes the head, and the response
/// comes in one piece. Each step says whether it could be done; if not, the same request goes on by <see cref="ForwardAsync"/> from where it is.
/// </summary>
internal sealed partial class Forwarder
{
    // A loop's timers are a few milliseconds late: a second attempt that is due before that is waited for by a timer of its own.
    private static readonly TimeSpan LeastHedge = TimeSpan.FromMilliseconds(20);

    /// <summary>Begins the request's first attempt. False: it is not on its way, or not all of it, and <paramref name="begun"/> says how far it is.</summary>
    public bool TryBegin(Exchange exchange, RouteModel route, BegunAttempt begun, EventLoop loop)
    {
        CountIn(exchange, route);
        exchange.Downstream.WatchDeparture(exchange.Deadline);
        EndpointModel? endpoint = begun.Endpoint = Admit(exchange, route.Pool!);
        if (endpoint?.Upstream is not LoopUpstream upstream) return false;
        if (HedgeAfter(exchange) is { } after)
        {
            if (after < LeastHedge || !ReferenceEquals(_services.Time, TimeProvider.System)) return false;
            begun.HedgeAt = exchange.Context.StartedAt + (long)(after.TotalSeconds * Stopwatch.Frequency);
        }
        if (upstream.TryTake(loop) is not { } connection) return false;
        if (!exchange.Deadline.Guard(connection))
        {
            // Gone already; said by who goes on.
            upstream.Return(connection);
            return false;
        }
        upstream.Load.Begin();
        _http1.Send(exchange, route, upstream, connection, begun);
        return begun.Sent.IsCompleted;
    }

    /// <summary>Answers from a response that is all here. False: it is another one, and nothing was done.</summary>
    /// <param name="flush">Of what was written.</param>
    public bool TryAnswer(Exchange exchange, RouteModel route, DirectResponse client, out ValueTask<FlushResult> flush) => _http1.TryAnswer(exchange, route, client, out flush);

    /// <summary>After an answer that has gone out whole: the attempt is over.</summary>
    public void EndAnswered(Exchange exchange, RouteModel route, BegunAttempt begun)
    {
        Http1Forwarder.EndAnswered(exchange, begun);
        Leave(exchange, route, begun.Endpoint!);
    }

    /// <summary>After an answer that the client does not take at once.</summary>
    public async ValueTask EndAnsweredAsync(Exchange exchange, RouteModel route, BegunAttempt begun, ValueTask<FlushResult> flush)
    {
        try
        {
            await Http1Forwarder.TakeAsync(exchange, route, flush);
        }
        finally
        {
            if (exchange.Downstream.Loop is { } loop && EventLoop.Current != loop) await loop.Switch();
            EndAnswered(exchange, route, begun);
        }
    }

    /// <summary>Gives back what an attempt has that failed by an exception.</summary>
    public void Abandon(Exchange exchange, RouteModel route, BegunAttempt begun)
    {
        if (begun.Endpoint is not { } endpoint) return;
        if (begun.Connection is { } connection)
        {
            connection.Receiver = null;
            exchange.Deadline.Unguard();
            exchange.Http1.End();
            connection.Close(reset: true);
        }
        else endpoint.Upstream.Load.Begin();
        Leave(exchange, route, endpoint);
    }
}
