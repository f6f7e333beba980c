using System.IO.Pipelines;
using Gateway.DataPlane.Transport;
using Microsoft.AspNetCore.Connections;

namespace Gateway.DataPlane.Proxy.Direct;

/// <summary>
/// How long a client may send no request, or take none of a response's end. One timer per connection, set when it first waits and not
/// cleared between requests: when it fires it looks how long the client has really been waited for. On the loop's thread only.
/// </summary>
/// <param name="limit">For a request, and for the response to be taken.</param>
/// <param name="rest">For the rest of a request that has begun to come.</param>
internal sealed class ClientPatience(TimeSpan limit, TimeSpan rest) : LoopTimer
{
    /// <summary>For what.</summary>
    public enum Waiting : byte
    {
        ForNothing,
        ForRequest,

        /// <summary>When it is over the read is cancelled, and no more.</summary>
        ForRest,
        ToTake,
    }

    private readonly long _limit = (long)Math.Min(limit.TotalMilliseconds, int.MaxValue);
    private readonly long _rest = (long)rest.TotalMilliseconds;
    private ConnectionContext? _connection;
    private EventLoop _loop = null!;
    private long _due;
    private Waiting _waiting;

    /// <summary>The client was waited for too long, and the read that waited was cancelled.</summary>
    public bool IsOver { get; private set; }

    /// <summary>On whose thread the client is waited for.</summary>
    public EventLoop Loop => _loop;

    public void Attach(ConnectionContext connection, EventLoop loop)
    {
        (_connection, _loop) = (connection, loop);
        IsOver = false;
    }

    public void Begin(Waiting forWhat)
    {
        // Its clock is of the turn's beginning, so that this reads none.
        _due = _loop.NowMilliseconds + (forWhat == Waiting.ForRest ? _rest : _limit);
        _waiting = forWhat;
        if (Slot < 0 || Due > _due) _loop.Timers.Set(this, _due);
    }

    public void End() => _waiting = Waiting.ForNothing;

    public void Detach()
    {
        End();
        _loop.Timers.Clear(this);
        _connection = null;
    }

    public override void OnDue()
    {
        if (_waiting == Waiting.ForNothing || _connection is null) return;
        if (_loop.NowMilliseconds < _due)
        {
            _loop.Timers.Set(this, _due);
            return;
        }
        IsOver = _waiting != Waiting.ForRest;
        if (_waiting == Waiting.ToTake) _connection.Abort(new ConnectionAbortedException("The client does not take the response."));
        else _connection.Transport.Input.CancelPendingRead();
    }
}
