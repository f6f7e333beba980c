using Gateway.DataPlane.Runtime;
using Gateway.DataPlane.Transport;

namespace Gateway.DataPlane.Proxy;

/// <summary>Whom an exchange waits for when nothing moves.</summary>
internal enum Party : byte
{
    Upstream,
    Client,
}

/// <summary>
/// All timeouts of a request and the client's departure, and what they break off: the guarded connection, and whoever took the token. One
/// timer per connection, on its loop where it has one: it is armed for the nearest of the deadlines, looks when it fires whether one has
/// really passed, and is not disarmed between requests, so that in the steady state a request costs no timer operation. The request's flow sets the deadlines, one writer at a time;
/// timer and client may cancel from any thread.
/// </summary>
internal sealed class RequestDeadline(TimeProvider time) : IDepartureWatcher, IRequestTime
{
    private readonly double _ticksPerTick = time.TimestampFrequency / (double)TimeSpan.TicksPerSecond;
    private readonly Lock _gate = new();

    // Under the gate.
    private CancellationTokenSource? _source;
    private LoopConnection? _guarded;
    private RequestDeadline? _follower;
    private ITimer? _timer;
    private OnLoop? _onLoop;

    // Written by the flow, read by the timer. Each is followed by a fence and a look at _armedFor: either the flow sees that the timer has
    // been taken back, or the timer sees the new value.
    private long _requestDue;
    private long _attemptDue;
    private long _upstreamSince;
    private long _idleTicks;
    private long _lastMove;
    private volatile Party _waitingFor;

    private long _armedFor = long.MaxValue;
    private volatile bool _active;
    private volatile ErrorCategory _reason;

    /// <summary>Why it struck; None when it did not.</summary>
    public ErrorCategory Reason => _reason;

    /// <summary>The loop that the client's connection lives on; null when it is on none. Set before the first request.</summary>
    public EventLoop? Loop { get; set; }

    public CancellationToken Token => (_source ?? CreateSource()).Token;

    /// <summary>Starts over for a new request. <see cref="Timeout.InfiniteTimeSpan"/> is no limit here and below.</summary>
    /// <param name="startedAt">A timestamp of the clock, as every <c>long</c> here.</param>
    public void Begin(long startedAt, TimeSpan requestTimeout)
    {
        // Inactive: nobody else looks at what is set here.
        _reason = ErrorCategory.None;
        _requestDue = After(startedAt, requestTimeout);
        _attemptDue = long.MaxValue;
        _upstreamSince = long.MaxValue;
        _idleTicks = long.MaxValue;
        _waitingFor = Party.Upstream;
        _active = true;
        ArmBy(_requestDue);
    }

    /// <summary>
    /// Readies it for another attempt after one that failed. What had struck the attempt alone is forgotten; what strikes the request is
    /// not. True: nothing did.
    /// </summary>
    public bool BeginAgain()
    {
        lock (_gate)
        {
            if (_reason == ErrorCategory.UpstreamTimeout)
            {
                _reason = ErrorCategory.None;
                // Cancelled, or being so.
                _source = null;
            }
            _guarded = null;
            _attemptDue = long.MaxValue;
            _upstreamSince = long.MaxValue;
            _idleTicks = long.MaxValue;
            _waitingFor = Party.Upstream;
        }
        // The timer took itself back when it struck.
        ArmBy(Volatile.Read(ref _requestDue));
        return _reason == ErrorCategory.None;
    }

    /// <summary>How long the request may still take; <see cref="TimeSpan.MaxValue"/> for as long as it likes.</summary>
    public TimeSpan Remaining
    {
        get
        {
            long due = Volatile.Read(ref _requestDue);
            return due == long.MaxValue ? TimeSpan.MaxValue : time.GetElapsedTime(time.GetTimestamp(), due);
        }
    }

    public bool IsOver => IsOverAt(time.GetTimestamp());

    /// <summary>The request's time was over then, whether the timer has come to it or not.</summary>
    public bool IsOverAt(long now) => now >= Volatile.Read(ref _requestDue);

    /// <summary>From now on the response headers are due, and it is the upstream that is waited for.</summary>
    public void BeginAttempt(long now, TimeSpan timeout)
    {
        Volatile.Write(ref _upstreamSince, now);
        _attemptDue = After(now, timeout);
        ArmBy(_attemptDue);
    }

    public void BeginAttempt(TimeSpan timeout) => BeginAttempt(time.GetTimestamp(), timeout);

    /// <summary>Something of the gateway's own is waited for, and no time of the upstream's or the client's runs. Until the attempt begins anew.</summary>
    public void PauseAttempt()
    {
        Volatile.Write(ref _upstreamSince, long.MaxValue);
        Volatile.Write(ref _attemptDue, long.MaxValue);
        _idleTicks = long.MaxValue;
    }

    public void EndAttempt() => Volatile.Write(ref _attemptDue, long.MaxValue);

    /// <summary>From now on something must move every so often (<see cref="Moved"/>).</summary>
    public void WatchIdle(long now, TimeSpan timeout)
    {
        _lastMove = now;
        _idleTicks = timeout == Timeout.InfiniteTimeSpan ? long.MaxValue : Ticks(timeout);
        ArmBy(IdleDue);
    }

    public void WatchIdle(TimeSpan timeout) => WatchIdle(time.GetTimestamp(), timeout);

    /// <summary>The request has become a tunnel: only its idle timeout counts.</summary>
    public void ForgetRequestTimeout()
    {
        Volatile.Write(ref _requestDue, long.MaxValue);
        Volatile.Write(ref _attemptDue, long.MaxValue);
    }

    /// <summary>Something moved. Worth saying before and after a wait; what is done at once needs no word.</summary>
    public void Moved() => Volatile.Write(ref _lastMove, time.GetTimestamp());

    /// <summary>From now on it is this party that is waited for.</summary>
    public void WaitFor(Party party)
    {
        long now = time.GetTimestamp();
        _waitingFor = party;
        Volatile.Write(ref _lastMove, now);
        Volatile.Write(ref _upstreamSince, party == Party.Upstream ? now : long.MaxValue);
    }

    /// <summary>
    /// How long, up to then, the upstream has had the request to itself: since the attempt began, or since the client was last waited for.
    /// Nothing of what went before, in a queue, in a pause between attempts, or while the client sent.
    /// </summary>
    /// <returns>Ticks.</returns>
    public long UpstreamHadAt(long now) => Math.Max(0, now - Volatile.Read(ref _upstreamSince));

    /// <summary>The connection is aborted when a deadline strikes. False: one has struck already.</summary>
    public bool Guard(LoopConnection connection)
    {
        lock (_gate)
        {
            if (_reason != ErrorCategory.None) return false;
            _guarded = connection;
            return true;
        }
    }

    /// <summary>The connection is aborted no more. False: a deadline has struck, and the abort may be on its way.</summary>
    public bool Unguard()
    {
        lock (_gate)
        {
            _guarded = null;
            return _reason == ErrorCategory.None;
        }
    }

    /// <summary>That of an attempt beside this one's, which ends too when the client leaves.</summary>
    public RequestDeadline? Follower
    {
        get => Volatile.Read(ref _follower);
        set => Volatile.Write(ref _follower, value);
    }

    /// <summary>Strikes for a reason of the caller's; the first reason stays.</summary>
    public void Cancel(ErrorCategory reason)
    {
        CancellationTokenSource? source;
        LoopConnection? guarded;
        lock (_gate)
        {
            if (!_active || _reason != ErrorCategory.None) return;
            (source, guarded) = Strike_NeedsLock(reason);
        }
        guarded?.Abort();
        source?.Cancel();
    }

    // What is to be broken off, outside the lock. It is of this request, whatever begins meanwhile: with a reason set, neither the source
    // nor the connection is used again.
    private (CancellationTokenSource? Source, LoopConnection? Guarded) Strike_NeedsLock(ErrorCategory reason)
    {
        _reason = reason;
        return (_source, _guarded);
    }

    /// <summary>The client has left.</summary>
    public void OnPeerGone()
    {
        Follower?.Cancel(ErrorCategory.ClientClosed);
        Cancel(ErrorCategory.ClientClosed);
    }

    // What is left armed of a connection's last request would keep it in memory until it is due.
    void IDepartureWatcher.OnReleased()
    {
        if (_onLoop is { } timer) Loop!.Timers.Clear(timer);
    }

    /// <summary>Between two connections of a loop: nothing of the last one's is to come due. On the loop's thread.</summary>
    public void Disarm()
    {
        if (_onLoop is not { } timer) return;
        lock (_gate)
        {
            Loop!.Timers.Clear(timer);
            Volatile.Write(ref _armedFor, long.MaxValue);
        }
    }

    /// <summary><see cref="Unguard"/> and <see cref="End"/> in one.</summary>
    public bool UnguardAndEnd()
    {
        lock (_gate)
        {
            bool clean = _reason == ErrorCategory.None;
            End_NeedsLock();
            return clean;
        }
    }

    /// <summary>After this nothing strikes any more, until the next <see cref="Begin"/>.</summary>
    public void End()
    {
        if (!_active) return;
        lock (_gate) End_NeedsLock();
    }

    private void End_NeedsLock()
    {
        _active = false;
        _guarded = null;
        // A cancelled source is spent, and its cancellation may still be on its way.
        if (_source is { } source && (_reason != ErrorCategory.None || !source.TryReset())) _source = null;
    }

    private long IdleDue => _idleTicks == long.MaxValue ? long.MaxValue : Volatile.Read(ref _lastMove) + _idleTicks;

    private CancellationTokenSource CreateSource()
    {
        lock (_gate)
        {
            if (_source is null)
            {
                _source = new CancellationTokenSource();
                if (_reason != ErrorCategory.None) _source.Cancel();
            }
            return _source;
        }
    }

    private void OnTimer()
    {
        CancellationTokenSource? source;
        LoopConnection? guarded;
        lock (_gate)
        {
            Volatile.Write(ref _armedFor, long.MaxValue);
            Interlocked.MemoryBarrier();
            if (!_active || _reason != ErrorCategory.None) return;
            long now = time.GetTimestamp();
            long requestDue = Volatile.Read(ref _requestDue), attemptDue = Volatile.Read(ref _attemptDue), idleDue = IdleDue;
            ErrorCategory reason = now >= requestDue ? ErrorCategory.RequestTimeout
                : now >= attemptDue ? ErrorCategory.UpstreamTimeout
                : now >= idleDue ? (_waitingFor == Party.Client ? ErrorCategory.RequestTimeoutClient : ErrorCategory.UpstreamTimeout)
                : ErrorCategory.None;
            if (reason == ErrorCategory.None)
            {
                ArmBy_NeedsLock(Math.Min(requestDue, Math.Min(attemptDue, idleDue)));
                return;
            }
            // Under the same lock: between the decision and the reason the request may end, and the next one begin.
            (source, guarded) = Strike_NeedsLock(reason);
        }
        guarded?.Abort();
        source?.Cancel();
    }

    private void ArmBy(long due)
    {
        Interlocked.MemoryBarrier();
        if (due >= Volatile.Read(ref _armedFor)) return;
        lock (_gate) ArmBy_NeedsLock(due);
    }

    private void ArmBy_NeedsLock(long due)
    {
        if (due >= _armedFor) return;
        Volatile.Write(ref _armedFor, due);
        // Rounded up: fired a tick early it would find nothing due, and go round again.
        double milliseconds = Math.Ceiling(Math.Max(0, due - time.GetTimestamp()) * 1000.0 / time.TimestampFrequency);
        if (Loop is { } loop && ReferenceEquals(time, TimeProvider.System))
        {
            _onLoop ??= new OnLoop(this);
            long at = Environment.TickCount64 + (long)milliseconds;
            if (EventLoop.Current == loop) loop.Timers.Set(_onLoop, at);
            else
            {
                loop.Post(static state =>
                {
                    (OnLoop timer, long at) = ((OnLoop, long))state!;
                    timer.SetAt(at);
                }, (_onLoop, at));
            }
            return;
        }
        TimeSpan wait = TimeSpan.FromMilliseconds(milliseconds);
        if (_timer is null) _timer = CreateTimer(wait);
        else _timer.Change(wait, Timeout.InfiniteTimeSpan);
    }

    private ITimer CreateTimer(TimeSpan wait)
    {
        // The timer outlives the request that happens to be first, so it must not hold that request's context.
        bool restore = !ExecutionContext.IsFlowSuppressed();
        if (restore) ExecutionContext.SuppressFlow();
        try
        {
            return time.CreateTimer(static self => ((RequestDeadline)self!).OnTimer(), this, wait, Timeout.InfiniteTimeSpan);
        }
        finally
        {
            if (restore) ExecutionContext.RestoreFlow();
        }
    }

    private long After(long from, TimeSpan timeout) => timeout == Timeout.InfiniteTimeSpan ? long.MaxValue : from + Ticks(timeout);

    private long Ticks(TimeSpan span) => (long)(span.Ticks * _ticksPerTick);

    private sealed class OnLoop(RequestDeadline deadline) : LoopTimer
    {
        public override void OnDue() => deadline.OnTimer();

        // From another thread, so another may have come first: the nearer one stays.
        public void SetAt(long at)
        {
            if (Slot < 0 || at < Due) deadline.Loop!.Timers.Set(this, at);
        }
    }
}
