using System.Threading.Tasks.Sources;
using Gateway.DataPlane.Runtime;

namespace Gateway.DataPlane.Proxy;

/// <summary>
/// Two attempts at one request, and the moment at which the second begins. One per exchange, begun anew for each hedged request; allocates
/// nothing for a request whose first attempt is answered in time. The first good response decides; what fails while the other still runs
/// is dropped; the loser is cancelled.
/// </summary>
internal sealed class HedgeRace(TimeProvider time) : IValueTaskSource<bool>
{
    private readonly Lock _gate = new();
    private ManualResetValueTaskSourceCore<bool> _wake;
    private ITimer? _timer;
    private Exchange _first = null!;
    private Exchange? _second;
    private Exchange? _decided;
    private bool _out;
    private bool _awake;
    private long _due;

    /// <summary>The first attempt begins.</summary>
    public void Begin(Exchange first)
    {
        lock (_gate)
        {
            (_first, _second, _decided) = (first, null, null);
            _out = _awake = false;
            _due = long.MaxValue;
            _wake.Reset();
        }
    }

    /// <summary>Whose outcome is the request's; null while it is open.</summary>
    public Exchange? Decided
    {
        get { lock (_gate) return _decided; }
    }

    /// <summary>Returns after that time (true), or when the first attempt has ended before (false).</summary>
    public ValueTask<bool> WaitAsync(TimeSpan after)
    {
        lock (_gate)
        {
            if (!_awake)
            {
                _due = time.GetTimestamp() + (long)(after.TotalSeconds * time.TimestampFrequency);
                if (_timer is null) _timer = CreateTimer(after);
                else _timer.Change(after, Timeout.InfiniteTimeSpan);
            }
        }
        return new ValueTask<bool>(this, _wake.Version);
    }

    /// <summary>The first attempt has ended.</summary>
    public void EndFirst() => Wake(isTime: false);

    /// <summary>The second attempt begins. False: it is too late for one.</summary>
    public bool TryJoin(Exchange second)
    {
        lock (_gate)
        {
            if (_decided is not null) return false;
            _second = second;
            // Here, for the first attempt's flow reads it when it decides: how many there were, and no more.
            _first.Context.Attempts++;
            return true;
        }
    }

    /// <summary>
    /// An attempt has come to its response's head, or to its end before that. True: its outcome is the request's, and the other attempt,
    /// if there is one, is cancelled. False: the other's is, and nothing of this one may go to the client.
    /// </summary>
    /// <param name="good">It has a response, and none of 5xx.</param>
    public bool Decides(Exchange attempt, bool good)
    {
        Exchange? loser;
        lock (_gate)
        {
            if (_decided is not null) return ReferenceEquals(_decided, attempt);
            if (!good && _second is not null && !_out)
            {
                // The other one still runs, and may do better.
                _out = true;
                return false;
            }
            _decided = attempt;
            loser = _out ? null : ReferenceEquals(attempt, _first) ? _second : _first;
        }
        // For a reason of this attempt alone: should the winner have to be tried again, the request is not over.
        loser?.Deadline.Cancel(ErrorCategory.UpstreamTimeout);
        return true;
    }

    /// <summary>The attempt is cancelled, because the other one decides.</summary>
    public bool HasLost(Exchange attempt)
    {
        lock (_gate) return _decided is not null && !ReferenceEquals(_decided, attempt);
    }

    private void Wake(bool isTime)
    {
        lock (_gate)
        {
            if (_awake || (isTime && !IsDue_NeedsLock())) return;
            _awake = true;
            if (!isTime && _due != long.MaxValue) _timer!.Change(Timeout.InfiniteTimeSpan, Timeout.InfiniteTimeSpan);
            _due = long.MaxValue;
        }
        _wake.SetResult(isTime);
    }

    // Not when the timer was of the request before, and had fired already as it was set anew, nor when it is a little early.
    private bool IsDue_NeedsLock()
    {
        long now = time.GetTimestamp();
        if (now >= _due) return true;
        if (_due != long.MaxValue) _timer!.Change(TimeSpan.FromMilliseconds(Math.Ceiling(time.GetElapsedTime(now, _due).TotalMilliseconds)), Timeout.InfiniteTimeSpan);
        return false;
    }

    private ITimer CreateTimer(TimeSpan after)
    {
        // It outlives the request that happens to be first, so it must not hold that request's context.
        bool restore = !ExecutionContext.IsFlowSuppressed();
        if (restore) ExecutionContext.SuppressFlow();
        try
        {
            return time.CreateTimer(static race => ((HedgeRace)race!).Wake(isTime: true), this, after, Timeout.InfiniteTimeSpan);
        }
        finally
        {
            if (restore) ExecutionContext.RestoreFlow();
        }
    }

    bool IValueTaskSource<bool>.GetResult(short token) => _wake.GetResult(token);

    ValueTaskSourceStatus IValueTaskSource<bool>.GetStatus(short token) => _wake.GetStatus(token);

    void IValueTaskSource<bool>.OnCompleted(Action<object?> continuation, object? state, short token, ValueTaskSourceOnCompletedFlags flags) =>
        _wake.OnCompleted(continuation, state, token, flags);
}
