using Gateway.Core.Outlier;

namespace Gateway.DataPlane.Runtime;

/// <summary>Why an endpoint is not well. Several may hold at once.</summary>
[Flags]
internal enum EndpointFaults
{
    None = 0,

    /// <summary>Active probes found it unhealthy.</summary>
    ProbeFailed = 1,

    /// <summary>Ejected for what requests met on it, for a time.</summary>
    Ejected = 2,

    /// <summary>It has joined a pool whose endpoints are probed, and its first probe has not ended.</summary>
    Unprobed = 4,
}

/// <summary>What the last probe of an endpoint said.</summary>
/// <param name="InARow">Probes with the same answer up to this one.</param>
internal sealed record ProbeNote(DateTimeOffset Time, bool IsGood, string Detail, int InARow);

/// <summary>Who is to be told when a run of failures has become so long.</summary>
/// <param name="Unanswered">Attempts in a row without an answer; int.MaxValue for none.</param>
/// <param name="Failures">Failures in a row of any kind; int.MaxValue for none.</param>
/// <param name="Tell">Called on the request's thread; must neither block nor throw.</param>
internal sealed record RunWatch(int Unanswered, int Failures, Action Tell);

/// <summary>
/// How an endpoint is. Lives as long as the endpoint, across applies. Thread safe; who changes it tells
/// <see cref="PoolState.EndpointsChanged"/>, which is what makes requests see it.
/// </summary>
internal sealed class EndpointHealth
{
    private int _faults;
    private int _lastFailure;
    private RunWatch? _watch;
    private LedgerEntry? _lastEntry;
    private ProbeNote? _lastProbe;

    public EndpointFaults Faults => (EndpointFaults)Volatile.Read(ref _faults);

    /// <summary>Nothing is known against it: true of one that is new.</summary>
    public bool IsUsable => Faults == EndpointFaults.None;

    /// <summary>What attempts at it came to.</summary>
    public AttemptCounts Counts { get; } = new();

    /// <summary>How the last attempt that failed ended, with the status of its response where there was one; <see cref="AttemptKind.Success"/> before the first.</summary>
    public (AttemptKind Kind, int Status) LastFailure
    {
        get
        {
            int packed = Volatile.Read(ref _lastFailure);
            return ((AttemptKind)(packed & 0xFF), packed >> 8);
        }
    }

    /// <summary>The last entry of the pool's ledger about it; null before the first.</summary>
    public LedgerEntry? LastEntry
    {
        get => Volatile.Read(ref _lastEntry);
        set => Volatile.Write(ref _lastEntry, value);
    }

    /// <summary>Null while it is not probed.</summary>
    public ProbeNote? LastProbe
    {
        get => Volatile.Read(ref _lastProbe);
        set => Volatile.Write(ref _lastProbe, value);
    }

    /// <summary>Null: nobody. Written by the one who watches over the pool.</summary>
    public RunWatch? Watch
    {
        get => Volatile.Read(ref _watch);
        set => Volatile.Write(ref _watch, value);
    }

    /// <summary>Notes that <paramref name="fault"/> holds or holds no more. True when that is a change.</summary>
    public bool Set(EndpointFaults fault, bool holds)
    {
        int bits = (int)fault;
        int before = holds ? Interlocked.Or(ref _faults, bits) : Interlocked.And(ref _faults, ~bits);
        return (before & bits) != (holds ? bits : 0);
    }

    /// <summary>Counts an attempt that has ended. Allocates nothing and takes no lock.</summary>
    public void Record(in AttemptResult result)
    {
        switch (result.Kind)
        {
            case AttemptKind.Success:
                Counts.RecordSuccess(result.Ticks);
                break;
            case AttemptKind.NotOfTheUpstream:
                break;
            case AttemptKind.ServerError:
                Fail(result, Counts.RecordError(), 0);
                break;
            default:
                Fail(result, Counts.RecordUnanswered(out int unanswered), unanswered);
                break;
        }
    }

    /// <summary>A response that was recorded as a success at its head was cut off in its body.</summary>
    /// <param name="kind">How.</param>
    /// <param name="status">The response's.</param>
    public void RecordCut(AttemptKind kind, int status)
    {
        int run = Counts.RecordCut();
        Fail(new AttemptResult(kind, status, 0), run, run);
    }

    private void Fail(in AttemptResult result, int run, int unanswered)
    {
        Volatile.Write(ref _lastFailure, (int)result.Kind | (result.Status << 8));
        // Each length of a run is seen by one attempt, so this is told once. Should it be decided then to do nothing yet, the watch looks again by itself.
        if (Watch is { } watch && (unanswered == watch.Unanswered || run == watch.Failures)) watch.Tell();
    }
}
