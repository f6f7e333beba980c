using System.Runtime.CompilerServices;

namespace Gateway.Core.Breaker;

/// <summary>
/// Keeps requests from an upstream that fails (Nygard, Release It!): closed, it counts; open, it refuses; half-open, it lets a few probes
/// through, of which one failure opens it again for twice as long and all successes close it. Thread safe. While it is closed, a request
/// costs one read and one uncontended count, no lock and no allocation; the lock is for changes of state and for probes.
/// </summary>
public sealed class CircuitBreaker
{
    private const int StateBits = 2;
    private const ulong StateMask = (1UL << StateBits) - 1;

    private readonly TimeProvider _time;
    private readonly Lock _gate = new();

    // The state and how many terms there have been: a permit of another term counts for nothing, however late it comes.
    private ulong _word = 1UL << StateBits;
    private RollingWindow _window;

    // Open: when probes may go. Half-open: when probes that have not come back are given up.
    private long _until;
    private long _openTicks;
    private int _freeProbes;
    private int _successes;
    private long _opened;

    /// <param name="settings">When it opens and how it comes back.</param>
    /// <param name="time">Where timestamps are from.</param>
    /// <param name="ledger">That of the breaker before, to go on with; null for one of its own.</param>
    public CircuitBreaker(BreakerSettings settings, TimeProvider time, BreakerLedger? ledger = null)
    {
        Settings = settings;
        Ledger = ledger ?? new BreakerLedger();
        _time = time;
        _openTicks = Ticks(settings.Open);
        _window = new RollingWindow(Ticks(settings.Window));
    }

    public BreakerSettings Settings { get; }

    /// <summary>Every change of its state, with the evidence.</summary>
    public BreakerLedger Ledger { get; }

    /// <summary>An open breaker whose time has passed is open until a request comes to probe it.</summary>
    public BreakerState State => StateOf(Volatile.Read(ref _word));

    /// <summary>How often it has opened, from closed or from half-open.</summary>
    public long Opened => Volatile.Read(ref _opened);

    internal static BreakerState StateOf(ulong word) => (BreakerState)(word & StateMask);

    /// <summary>Asks to send a request. True must be followed by one <see cref="Leave"/> with the permit.</summary>
    /// <param name="now">Timestamp of the time provider.</param>
    public bool TryEnter(long now, out BreakerPermit permit)
    {
        ulong word = Volatile.Read(ref _word);
        if (StateOf(word) == BreakerState.Closed)
        {
            permit = new BreakerPermit(word);
            return true;
        }
        return TryProbe(StateOf(word), now, out permit);
    }

    /// <summary>Gives a permit back with what became of the request. Returns the state that this brought about; null when it changed nothing.</summary>
    public BreakerState? Leave(BreakerPermit permit, BreakerOutcome outcome, long now)
    {
        ulong term = permit.Term;
        if (term == 0 || Volatile.Read(ref _word) != term) return null;
        if (StateOf(term) != BreakerState.Closed) return LeaveProbe(term, outcome, now);
        if (outcome == BreakerOutcome.Abandoned) return null;
        RollingWindow window = Volatile.Read(ref _window);
        window.Add(now, marked: outcome == BreakerOutcome.Failure);
        // Only a failure can open it: what a success adds makes the share smaller.
        return outcome == BreakerOutcome.Failure && IsTooMuch(window.Read(now)) ? Trip(term, now) : null;
    }

    /// <summary>
    /// What was given back as a success has turned out to be none: it counts as the failure that it is, unless the breaker has changed
    /// its state since. Returns as <see cref="Leave"/>.
    /// </summary>
    /// <param name="permit">The one that was given back.</param>
    /// <param name="now">Timestamp of the time provider.</param>
    public BreakerState? TakeBack(BreakerPermit permit, long now)
    {
        ulong term = permit.Term;
        if (term == 0 || Volatile.Read(ref _word) != term) return null;
        if (StateOf(term) != BreakerState.Closed) return LeaveProbe(term, BreakerOutcome.Failure, now);
        RollingWindow window = Volatile.Read(ref _window);
        window.Mark(now);
        return IsTooMuch(window.Read(now)) ? Trip(term, now) : null;
    }

    /// <summary>How long until it may let a request through again; zero when it might now.</summary>
    public TimeSpan RetryAfter(long now)
    {
        if (State != BreakerState.Open) return TimeSpan.Zero;
        long left = Volatile.Read(ref _until) - now;
        return left <= 0 ? TimeSpan.Zero : _time.GetElapsedTime(0, left);
    }

    /// <summary>What it stands at.</summary>
    public BreakerReading Read(long now)
    {
        lock (_gate)
        {
            BreakerState state = StateOf(_word);
            (long requests, long failures) = _window.Read(now);
            return state switch
            {
                BreakerState.Closed => new(state, requests, failures, TimeSpan.Zero, 0, 0),
                BreakerState.HalfOpen => new(state, requests, failures, TimeSpan.Zero, Settings.Probes - _freeProbes - _successes, _successes),
                _ => new(state, requests, failures, RetryAfter(now), 0, 0),
            };
        }
    }

    private bool IsTooMuch((long Requests, long Failures) seen) =>
        seen.Requests >= Settings.MinRequests && seen.Failures * 100 >= seen.Requests * Settings.FailurePercent;

    [MethodImpl(MethodImplOptions.NoInlining)]
    private bool TryProbe(BreakerState seen, long now, out BreakerPermit permit)
    {
        permit = default;
        // The flood that an open breaker refuses does not queue for the lock. What is read here may be of another state by now: a request
        // is then refused that might have been the first probe, and the next one is it.
        if (now < Volatile.Read(ref _until) && (seen == BreakerState.Open || Volatile.Read(ref _freeProbes) == 0)) return false;
        lock (_gate)
        {
            BreakerState state = StateOf(_word);
            if (state != BreakerState.Closed)
            {
                bool due = now >= _until;
                if (state == BreakerState.Open ? !due : _freeProbes == 0 && !due) return false;
                // Probes that were sent and never came back must not keep it half-open for ever: after the longest open time others go.
                if (state == BreakerState.Open || _freeProbes == 0) BeginProbing_NeedsLock();
                Volatile.Write(ref _freeProbes, _freeProbes - 1);
                Volatile.Write(ref _until, now + Ticks(Settings.MaxOpen));
            }
            permit = new BreakerPermit(_word);
            return true;
        }
    }

    private void BeginProbing_NeedsLock()
    {
        // Half-open already: the probes before these never came back.
        bool wasOpen = StateOf(_word) == BreakerState.Open;
        _successes = 0;
        Volatile.Write(ref _freeProbes, Settings.Probes);
        if (wasOpen) Note_NeedsLock(BreakerState.HalfOpen, BreakerCause.Elapsed, 0, 0);
        MoveTo_NeedsLock(BreakerState.HalfOpen);
    }

    private BreakerState? LeaveProbe(ulong term, BreakerOutcome outcome, long now)
    {
        lock (_gate)
        {
            if (_word != term) return null;
            switch (outcome)
            {
                case BreakerOutcome.Abandoned:
                    Volatile.Write(ref _freeProbes, _freeProbes + 1);
                    return null;
                case BreakerOutcome.Failure:
                    _openTicks = Math.Min(_openTicks * 2, Math.Max(Ticks(Settings.MaxOpen), Ticks(Settings.Open)));
                    Note_NeedsLock(BreakerState.Open, BreakerCause.ProbeFailed, _successes, 1);
                    Open_NeedsLock(now);
                    return BreakerState.Open;
                default:
                    if (++_successes < Settings.Probes) return null;
                    _openTicks = Ticks(Settings.Open);
                    Volatile.Write(ref _window, new RollingWindow(Ticks(Settings.Window)));
                    Note_NeedsLock(BreakerState.Closed, BreakerCause.ProbesSucceeded, _successes, 0);
                    MoveTo_NeedsLock(BreakerState.Closed);
                    return BreakerState.Closed;
            }
        }
    }

    private BreakerState? Trip(ulong term, long now)
    {
        lock (_gate)
        {
            if (_word != term) return null;
            (long requests, long failures) = _window.Read(now);
            Note_NeedsLock(BreakerState.Open, BreakerCause.Failures, requests, failures);
            Open_NeedsLock(now);
            return BreakerState.Open;
        }
    }

    // Before the state is written: who has seen it finds the entry.
    private void Note_NeedsLock(BreakerState to, BreakerCause cause, long requests, long failures) => Ledger.Add(
        _time.GetUtcNow(), StateOf(_word), to, cause, requests, failures, to == BreakerState.Open ? _time.GetElapsedTime(0, _openTicks) : TimeSpan.Zero, Settings);

    private void Open_NeedsLock(long now)
    {
        Volatile.Write(ref _until, now + _openTicks);
        Volatile.Write(ref _opened, _opened + 1);
        MoveTo_NeedsLock(BreakerState.Open);
    }

    private void MoveTo_NeedsLock(BreakerState state) => Volatile.Write(ref _word, ((_word >> StateBits) + 1) << StateBits | (ulong)state);

    private long Ticks(TimeSpan span) => (long)(span.TotalSeconds * _time.TimestampFrequency);
}
