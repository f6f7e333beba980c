using System.IO.Pipelines;
using Gateway.DataPlane.Transport;
using Microsoft.AspNetCore.Connections;

namespace Gateway.DataPlane.Proxy.Direct;

/// <summary>
/// How long a client may send no request, or take none of a response's end. One timer per connection, set when it first waits and not
/// cleared between requests: when it fires it looks how long the client has really been waited for. On the loop's thread only.
/// </summary>
internal sealed class ClientPatience(TimeSpan limit) : LoopTimer
{
    /// <summary>For what.</summary>
    public enum Waiting : byte
    {
        ForNothing,
        ForRequest,
        ToTake,
    }

    private readonly long _limit = (long)Math.Min(limit.TotalMilliseconds, int.MaxValue);
    private ConnectionContext? _connection;
    private EventLoop _loop = null!;
    private long _since;
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
        _since = _loop.NowMilliseconds;
        _waiting = forWhat;
        if (Slot < 0) _loop.Timers.Set(this, _since + _limit);
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
        long due = _since + _limit;
        if (_loop.NowMilliseconds < due)
        {
            _loop.Timers.Set(this, due);
            return;
        }
        IsOver = true;
        if (_waiting == Waiting.ToTake) _connection.Abort(new ConnectionAbortedException("The client does not take the response."));
        else _connection.Transport.Input.CancelPendingRead();
    }
}
