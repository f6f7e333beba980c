using System.Diagnostics;
using System.IO.Pipelines;
using System.Runtime.CompilerServices;
using System.Threading.Tasks.Sources;
using Gateway.Core.Http1;
using Gateway.DataPlane.Runtime;
using Gateway.DataPlane.Transport;
using Microsoft.AspNetCore.Hosting.Server;

namespace Gateway.DataPlane.Proxy.Direct;

/// <summary>
/// Serves the plain requests of a connection, one after another. A request without a body whose route goes to an endpoint with a kept connection
/// is sent on at once, and answered by the event that brings the response: 1. begin, admit, filters; 2. the first attempt; 3. told of the response,
/// answer; 4. record. Whatever is not so, at any of these steps, goes on from there by the methods that serve every request
/// (<see cref="GatewayApplication.GoOnAsync"/>): this path decides nothing of its own. On the loop's thread.
/// </summary>
internal sealed class DirectExchange(DirectConnection direct, IHttpApplication<Exchange> application, GatewayApplication gateway) : IReceiver, IValueTaskSource<bool>
{
    private readonly BegunAttempt _attempt = new();
    private ManualResetValueTaskSourceCore<bool> _completion;
    private HedgeTimer? _hedge;
    private EventLoop _loop = null!;
    private ILoopFeature _onLoop = null!;
    private Exchange _exchange = null!;
    private Exchange? _touchedOf;
    private int _requests;
    private RouteModel _route = null!;

    /// <summary>Its requests are that connection's from here on.</summary>
    public void Attach(ILoopFeature onLoop) => (_onLoop, _requests) = (onLoop, 0);

    public object[] Touched { get; private set; } = [];

    // Told when a connection has come to its second request: most of those that have only one have no other to wait beside them.
    private void TellTouched(Exchange exchange)
    {
        if (!ReferenceEquals(exchange, _touchedOf))
        {
            _touchedOf = exchange;
            Touched =
            [
                this, _attempt, direct, direct.Response, direct.Response.Fields, exchange, exchange.Context, exchange.Deadline, exchange.Downstream,
                exchange.Attempts, exchange.Http1, exchange.Fields, exchange.FieldBlock,
            ];
        }
        _onLoop.Touched = Touched;
    }

    /// <summary>Serves the request that the connection has taken. True: the connection is for another one. Ends on the loop, as all that is kept of the connection is the loop's.</summary>
    public ValueTask<bool> ServeAsync(EventLoop loop)
    {
        _loop = loop;
        Exchange exchange = _exchange = application.CreateContext(direct);
        _attempt.Clear();
        if (_requests < 2 && ++_requests == 2) TellTouched(exchange);
        BegunRequest begun = default;
        bool hasBegun = false;
        try
        {
            gateway.Begin(exchange);
            hasBegun = true;
            RouteModel? route = gateway.Admit(exchange, out long bodyLimit);
            ValueTask<bool> answered = route is null ? default : GatewayApplication.IsAnsweredAsync(route, exchange);
            bool goesOn = route?.Pool is not null && answered.IsCompletedSuccessfully && !answered.Result;
            begun = new BegunRequest { IsAdmitted = true, Route = route, BodyLimit = bodyLimit, Answered = goesOn ? default : answered };
            if (goesOn && !exchange.Downstream.HasRequestBody && exchange.Downstream.Method != "HEAD")
            {
                _route = route!;
                if (gateway.Forwarder.TryBegin(exchange, route!, _attempt, loop))
                {
                    _completion.Reset();
                    _attempt.Connection!.Receiver = this;
                    if (_attempt.HedgeAt != long.MaxValue) (_hedge ??= new HedgeTimer(this)).Set(loop, _attempt.HedgeAt);
                    return new ValueTask<bool>(this, _completion.Version);
                }
                begun = begun with { Attempt = _attempt };
            }
        }
        catch (Exception fault)
        {
            if (!hasBegun)
            {
                direct.Abort();
                direct.Forget();
                application.DisposeContext(exchange, fault);
                return new(false);
            }
            gateway.Forwarder.Abandon(exchange, _route, _attempt);
            begun = new BegunRequest { Failure = fault };
        }
        return GoOnAsync(exchange, begun);
    }

    void IReceiver.OnReceivable()
    {
        Exchange exchange = _exchange;
        BegunRequest begun;
        try
        {
            ParseStatus status;
            do
            {
                if (!exchange.Http1.TryReadHead(toHead: false, out status)) return;
            }
            while (status == ParseStatus.Complete && exchange.Http1.Head.IsInterim);
            StopWaiting();
            (_attempt.HasHead, _attempt.Status) = (true, status);
            if (status == ParseStatus.Complete && gateway.Forwarder.TryAnswer(exchange, _route, direct.Response, out ValueTask<FlushResult> flush))
            {
                if (flush.IsCompletedSuccessfully)
                {
                    FlushResult flushed = flush.Result;
                    if (flushed is { IsCompleted: false, IsCanceled: false } && exchange.Deadline.Reason == ErrorCategory.None)
                    {
                        End(exchange);
                        return;
                    }
                    flush = new(flushed);
                }
                begun = new BegunRequest { Forwarding = gateway.Forwarder.EndAnsweredAsync(exchange, _route, _attempt, flush) };
            }
            else begun = new BegunRequest { IsAdmitted = true, Route = _route, Attempt = _attempt };
        }
        catch (Exception fault)
        {
            StopWaiting();
            gateway.Forwarder.Abandon(exchange, _route, _attempt);
            begun = new BegunRequest { Failure = fault };
        }
        _ = CompleteAsync(exchange, begun);
    }

    // By who waits for answers: there is to be a second attempt.
    private void OnHedgeDue()
    {
        StopWaiting();
        _ = CompleteAsync(_exchange, new BegunRequest { IsAdmitted = true, Route = _route, Attempt = _attempt });
    }

    private void StopWaiting()
    {
        _attempt.Connection!.Receiver = null;
        if (_attempt.HedgeAt != long.MaxValue) _loop.Timers.Clear(_hedge!);
    }

    private void End(Exchange exchange)
    {
        gateway.Forwarder.EndAnswered(exchange, _route, _attempt);
        gateway.End(exchange);
        bool goesOn = direct.Finish();
        direct.Forget();
        application.DisposeContext(exchange, null);
        _completion.SetResult(goesOn);
    }

    /// <summary>Ends in the result that <see cref="ServeAsync"/> has promised, whatever happens.</summary>
    private async Task CompleteAsync(Exchange exchange, BegunRequest begun) => _completion.SetResult(await GoOnAsync(exchange, begun));

    [AsyncMethodBuilder(typeof(LoopTaskMethodBuilder<>))]
    private async ValueTask<bool> GoOnAsync(Exchange exchange, BegunRequest begun)
    {
        Exception? failure = null;
        bool another = false;
        try
        {
            await gateway.GoOnAsync(exchange, begun);
            // Upstreams of .NET's own handler answer on the thread pool.
            if (EventLoop.Current != _loop) await _loop.Switch();
            another = await direct.FinishAsync();
        }
        catch (Exception e)
        {
            failure = e;
            direct.Abort();
        }
        if (EventLoop.Current != _loop) await _loop.Switch();
        direct.Forget();
        application.DisposeContext(exchange, failure);
        return another;
    }

    bool IValueTaskSource<bool>.GetResult(short token) => _completion.GetResult(token);

    ValueTaskSourceStatus IValueTaskSource<bool>.GetStatus(short token) => _completion.GetStatus(token);

    void IValueTaskSource<bool>.OnCompleted(Action<object?> continuation, object? state, short token, ValueTaskSourceOnCompletedFlags flags) =>
        _completion.OnCompleted(continuation, state, token, flags);

    /// <summary>Fires a little before a second attempt is due; the rest is waited for more exactly.</summary>
    private sealed class HedgeTimer(DirectExchange exchange) : LoopTimer
    {
        private const int Early = 10;

        public void Set(EventLoop loop, long at) =>
            loop.Timers.Set(this, Environment.TickCount64 + (long)Stopwatch.GetElapsedTime(Stopwatch.GetTimestamp(), at).TotalMilliseconds - Early);

        public override void OnDue() => exchange.OnHedgeDue();
    }
}
