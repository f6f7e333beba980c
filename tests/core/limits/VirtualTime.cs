namespace Gateway.Core.Tests.Limits;

/// <summary>A clock that stands still until it is told to go on; timers fire as it passes them. Thread safe.</summary>
internal sealed class VirtualTime : TimeProvider
{
    private readonly Lock _gate = new();
    private readonly List<Timer> _timers = [];
    private long _now = TimeSpan.FromDays(1).Ticks;

    public override long TimestampFrequency => TimeSpan.TicksPerSecond;

    /// <summary>Timers that are set.</summary>
    public int Waiting
    {
        get { lock (_gate) return _timers.Count; }
    }

    public override long GetTimestamp() => Volatile.Read(ref _now);

    public override ITimer CreateTimer(TimerCallback callback, object? state, TimeSpan dueTime, TimeSpan period)
    {
        lock (_gate)
        {
            var timer = new Timer(this, callback, state, _now + dueTime.Ticks);
            _timers.Add(timer);
            return timer;
        }
    }

    public void Advance(TimeSpan by)
    {
        long end = GetTimestamp() + by.Ticks;
        while (NextUntil(end) is { } next) next.Callback(next.State);
    }

    private Timer? NextUntil(long end)
    {
        lock (_gate)
        {
            Timer? next = _timers.Where(t => t.Due <= end).MinBy(t => t.Due);
            Volatile.Write(ref _now, next is null ? end : Math.Max(_now, next.Due));
            if (next is not null) _timers.Remove(next);
            return next;
        }
    }

    private sealed class Timer(VirtualTime time, TimerCallback callback, object? state, long due) : ITimer
    {
        public TimerCallback Callback => callback;
        public object? State => state;
        public long Due => due;

        public bool Change(TimeSpan dueTime, TimeSpan period) => throw new NotSupportedException();

        public void Dispose()
        {
            lock (time._gate) time._timers.Remove(this);
        }

        public ValueTask DisposeAsync()
        {
            Dispose();
            return ValueTask.CompletedTask;
        }
    }
}
