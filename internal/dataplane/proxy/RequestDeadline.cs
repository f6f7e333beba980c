using Gateway.DataPlane.Runtime;

namespace Gateway.DataPlane.Proxy;

/// <summary>Whom an exchange waits for when nothing moves.</summary>
internal enum Party : byte
{
    Upstream,
    Client,
}

/// <summary>
/// All timeouts of a request and the client's departure behind one cancellation token. One timer per connection: it is armed for the
/// nearest of the deadlines, looks when it fires whether one has really passed, and is never disarmed, so that in the steady state a
/// request costs no timer operation. The request's flow sets the deadlines; timer and client may cancel from any thread.
/// </summary>
internal sealed class RequestDeadline(TimeProvider time)
{
    private readonly Lock _gate = new();
    private CancellationTokenSource? _source;
    private ITimer? _timer;
    private long _armedFor = long.MaxValue;
    private bool _active;
    private long _requestDue;
    private long _attemptDue;
    private long _idleTicks;
    private long _lastMove;
    private volatile Party _waitingFor;
    private ErrorCategory _reason;

    /// <summary>Why the token was cancelled; None when it was not.</summary>
    public ErrorCategory Reason
    {
        get { lock (_gate) return _reason; }
    }

    public CancellationToken Token => _source!.Token;

    /// <summary>Starts over for a new request. <see cref="Timeout.InfiniteTimeSpan"/> is no limit here and below.</summary>
    public void Begin(long startedAt, TimeSpan requestTimeout)
    {
        lock (_gate)
        {
            _source ??= new CancellationTokenSource();
            _reason = ErrorCategory.None;
            _requestDue = After(startedAt, requestTimeout);
            _attemptDue = long.MaxValue;
            _idleTicks = long.MaxValue;
            _waitingFor = Party.Upstream;
            _active = true;
            ArmBy_NeedsLock(_requestDue);
        }
    }

    /// <summary>From now on the response headers are due.</summary>
    public void BeginAttempt(TimeSpan timeout)
    {
        lock (_gate)
        {
            _attemptDue = After(time.GetTimestamp(), timeout);
            ArmBy_NeedsLock(_attemptDue);
        }
    }

    public void EndAttempt()
    {
        lock (_gate) _attemptDue = long.MaxValue;
    }

    /// <summary>From now on something must move every so often (<see cref="Moved"/>).</summary>
    public void WatchIdle(TimeSpan timeout)
    {
        lock (_gate)
        {
            _idleTicks = timeout == Timeout.InfiniteTimeSpan ? long.MaxValue : Ticks(timeout);
            _lastMove = time.GetTimestamp();
            ArmBy_NeedsLock(IdleDue);
        }
    }

    public void StopWatchingIdle()
    {
        lock (_gate) _idleTicks = long.MaxValue;
    }

    /// <summary>The request has become a tunnel: only its idle timeout counts.</summary>
    public void ForgetRequestTimeout()
    {
        lock (_gate) _requestDue = _attemptDue = long.MaxValue;
    }

    public void Moved() => Volatile.Write(ref _lastMove, time.GetTimestamp());

    public void WaitFor(Party party) => _waitingFor = party;

    /// <summary>Cancels for a reason of the caller's; the first reason stays.</summary>
    public void Cancel(ErrorCategory reason)
    {
        CancellationTokenSource source;
        lock (_gate)
        {
            if (!_active || _reason != ErrorCategory.None) return;
            _reason = reason;
            source = _source!;
        }
        source.Cancel();
    }

    /// <summary>After this nothing cancels any more, until the next <see cref="Begin"/>.</summary>
    public void End()
    {
        lock (_gate)
        {
            if (!_active) return;
            _active = false;
            // A cancelled source is spent, and its cancellation may still be on its way.
            if (_reason != ErrorCategory.None || !_source!.TryReset()) _source = null;
        }
    }

    private long IdleDue => _idleTicks == long.MaxValue ? long.MaxValue : Volatile.Read(ref _lastMove) + _idleTicks;

    private void OnTimer()
    {
        ErrorCategory reason;
        lock (_gate)
        {
            _armedFor = long.MaxValue;
            if (!_active || _reason != ErrorCategory.None) return;
            long now = time.GetTimestamp();
            reason = now >= _requestDue ? ErrorCategory.RequestTimeout
                : now >= _attemptDue ? ErrorCategory.UpstreamTimeout
                : now >= IdleDue ? (_waitingFor == Party.Client ? ErrorCategory.RequestTimeoutClient : ErrorCategory.UpstreamTimeout)
                : ErrorCategory.None;
            if (reason == ErrorCategory.None) ArmBy_NeedsLock(Math.Min(_requestDue, Math.Min(_attemptDue, IdleDue)));
        }
        if (reason != ErrorCategory.None) Cancel(reason);
    }

    private void ArmBy_NeedsLock(long due)
    {
        if (due >= _armedFor) return;
        _armedFor = due;
        // Rounded up: fired a tick early it would find nothing due, and go round again.
        TimeSpan wait = TimeSpan.FromMilliseconds(Math.Ceiling(Math.Max(0, due - time.GetTimestamp()) * 1000.0 / time.TimestampFrequency));
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

    private long Ticks(TimeSpan span) => (long)(span.TotalSeconds * time.TimestampFrequency);
}
