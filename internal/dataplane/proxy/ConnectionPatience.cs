using Gateway.Core.Limits;
using Gateway.DataPlane.Runtime;
using Gateway.DataPlane.Transport;

namespace Gateway.DataPlane.Proxy;

/// <summary>
/// How long a request waits for one of an endpoint's connections inside .NET's handler, which has a line for them, but no end of it. While it
/// waits, no time of the attempt runs; it begins when the handler begins to write the request. To be disposed when it has been sent.
/// </summary>
internal sealed class ConnectionPatience : IDisposable
{
    private readonly Lock _gate = new();
    private readonly Exchange _exchange;
    private readonly RouteModel _route;
    private readonly bool _hasBody;
    private readonly TimeProvider _time;
    private ITimer? _timer;
    private bool _over;

    private ConnectionPatience(Exchange exchange, RouteModel route, bool hasBody, TimeProvider time) =>
        (_exchange, _route, _hasBody, _time) = (exchange, route, hasBody, time);

    private ConnectionQueue Queue => _route.Pool!.State.Connections;

    /// <summary>For a request that the handler was given and has not begun to write, while the endpoint has as many connections as it may. Null: it need not wait.</summary>
    public static ConnectionPatience? Begin(Exchange exchange, RouteModel route, UpstreamMessage message, bool hasBody, TimeProvider time)
    {
        QueueSettings settings = route.Pool!.Plan.Queue;
        ConnectionPatience patience = new(exchange, route, hasBody, time);
        exchange.Deadline.PauseAttempt();
        bool enters = patience.Queue.TryEnter(settings.Length);
        if (!enters) patience._over = true;
        if (!message.OnBegun(patience.OnBegun))
        {
            if (enters) patience.Queue.Leave();
            patience.BeginAttempt();
            return null;
        }
        if (!enters) exchange.Deadline.Cancel(ErrorCategory.Overloaded);
        else
        {
            lock (patience._gate)
            {
                if (!patience._over) patience._timer = time.CreateTimer(static p => ((ConnectionPatience)p!).GiveUp(), patience, settings.Timeout, Timeout.InfiniteTimeSpan);
            }
        }
        return patience;
    }

    public void Dispose() => End();

    // Once, by whoever comes first: the connection, the timer, or the request's end.
    private bool End()
    {
        lock (_gate)
        {
            if (_over) return false;
            _over = true;
            _timer?.Dispose();
        }
        Queue.Leave();
        return true;
    }

    // On a thread of the handler's, which waits for it: the request's flow waits for the handler.
    private void OnBegun()
    {
        if (End()) BeginAttempt();
    }

    private void GiveUp()
    {
        if (!End()) return;
        Queue.CountTimeout();
        _exchange.Deadline.Cancel(ErrorCategory.Overloaded);
    }

    private void BeginAttempt()
    {
        long now = _time.GetTimestamp();
        _exchange.Context.UpstreamStartedAt = now;
        _exchange.Deadline.BeginAttempt(now, _route.AttemptTimeout);
        if (_hasBody) _exchange.Deadline.WatchIdle(now, _route.IdleTimeout);
    }
}
