namespace Gateway.Core.Breaker;

/// <summary>A change of a breaker's state, with what it was based on.</summary>
/// <param name="Sequence">Rises by one.</param>
/// <param name="Cause">What brought it about.</param>
/// <param name="Requests">Attempts in the window when it tripped; probes that have succeeded, when it is probed; 0 for anything else.</param>
/// <param name="Failures">Those of them that failed.</param>
/// <param name="Open">How long it is open; zero unless it is.</param>
/// <param name="Settings">What the numbers were held against.</param>
public sealed record BreakerChange(
    long Sequence, DateTimeOffset Time, BreakerState From, BreakerState To, BreakerCause Cause, long Requests, long Failures, TimeSpan Open, BreakerSettings Settings);

/// <summary>Why a breaker has changed its state.</summary>
public enum BreakerCause : byte
{
    /// <summary>Too many attempts of the window had failed.</summary>
    Failures,

    /// <summary>Its time was over, and a request came.</summary>
    Elapsed,

    /// <summary>A probe failed.</summary>
    ProbeFailed,

    /// <summary>As many probes succeeded as there have to be.</summary>
    ProbesSucceeded,

    /// <summary>The breaker's settings are others now, and it begins anew.</summary>
    SettingsChanged,
}

/// <summary>The last changes of a breaker, oldest dropped first; of one breaker after another where the settings change. Thread safe.</summary>
public sealed class BreakerLedger
{
    /// <summary>Changes that are kept. An opening and its end are three.</summary>
    public const int Capacity = 100;

    private readonly Lock _gate = new();
    private readonly Queue<BreakerChange> _changes = new();
    private long _sequence;

    public void Add(
        DateTimeOffset time, BreakerState from, BreakerState to, BreakerCause cause, long requests, long failures, TimeSpan open, BreakerSettings settings)
    {
        lock (_gate)
        {
            _changes.Enqueue(new BreakerChange(++_sequence, time, from, to, cause, requests, failures, open, settings));
            if (_changes.Count > Capacity) _changes.Dequeue();
        }
    }

    /// <summary>Oldest first.</summary>
    public IReadOnlyList<BreakerChange> Changes
    {
        get { lock (_gate) return [.. _changes]; }
    }

    /// <summary>The latest; null before the first.</summary>
    public BreakerChange? Last
    {
        get { lock (_gate) return _changes.Count == 0 ? null : _changes.Last(); }
    }
}
