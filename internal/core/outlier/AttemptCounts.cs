using System.Runtime.InteropServices;

namespace Gateway.Core.Outlier;

/// <summary>
/// What the attempts at one endpoint came to. Lives as long as the endpoint, across applies. Thread safe; recording takes no lock and
/// allocates nothing. Counters only ever rise; windows are differences that <see cref="OutlierDetector"/> takes off the request's path.
/// </summary>
/// <remarks>
/// A run is of attempts in the order in which they ended. A success that ends between a failure's end and its record may be lost to the
/// run, or the failure to the success: either way by one, which no threshold depends on.
/// </remarks>
public sealed class AttemptCounts
{
    // Alone on its cache lines: every attempt writes it.
    [StructLayout(LayoutKind.Explicit, Size = 192)]
    private struct Padded
    {
        [FieldOffset(64)] public long Total;
        [FieldOffset(72)] public long Errors;
        [FieldOffset(80)] public long Unanswered;
        [FieldOffset(88)] public int FailureRun;
        [FieldOffset(92)] public int UnansweredRun;
        [FieldOffset(96)] public int CutRun;
    }

    private Padded _counts;
    private LatencyHistogram? _latencies;

    /// <summary>All attempts.</summary>
    public long Total => Volatile.Read(ref _counts.Total);

    /// <summary>Those that were answered with a server error.</summary>
    public long Errors => Volatile.Read(ref _counts.Errors);

    /// <summary>Those without an answer, or not the whole of one: not connected, reset, not HTTP, or out of time.</summary>
    public long Unanswered => Volatile.Read(ref _counts.Unanswered);

    /// <summary><see cref="Errors"/> and <see cref="Unanswered"/> in an unbroken row up to now.</summary>
    public int FailureRun => Volatile.Read(ref _counts.FailureRun);

    /// <summary><see cref="Unanswered"/> in an unbroken row up to now; a server error breaks it, for that is an answer.</summary>
    public int UnansweredRun => Volatile.Read(ref _counts.UnansweredRun);

    /// <summary>
    /// Answers that were cut off since the last one that came whole. A run of its own, for each of them has counted as an answer at its
    /// head, and so broken the other runs.
    /// </summary>
    public int CutRun => Volatile.Read(ref _counts.CutRun);

    /// <summary>The latencies of answers without an error; null while nobody asks for them.</summary>
    public LatencyHistogram? Latencies
    {
        get => Volatile.Read(ref _latencies);
        set => Volatile.Write(ref _latencies, value);
    }

    /// <param name="latency">To the head of the response, in the unit of all others.</param>
    public void RecordSuccess(long latency)
    {
        Interlocked.Increment(ref _counts.Total);
        // Read first: a healthy endpoint has nothing to write.
        if (_counts.FailureRun != 0) Volatile.Write(ref _counts.FailureRun, 0);
        if (_counts.UnansweredRun != 0) Volatile.Write(ref _counts.UnansweredRun, 0);
        Latencies?.Record(latency);
    }

    /// <returns>The run of failures that this one is the last of, so that each length is returned once.</returns>
    public int RecordError()
    {
        Interlocked.Increment(ref _counts.Total);
        Interlocked.Increment(ref _counts.Errors);
        if (_counts.UnansweredRun != 0) Volatile.Write(ref _counts.UnansweredRun, 0);
        return Interlocked.Increment(ref _counts.FailureRun);
    }

    /// <inheritdoc cref="RecordError"/>
    /// <param name="unansweredRun">The same of <see cref="UnansweredRun"/>.</param>
    public int RecordUnanswered(out int unansweredRun)
    {
        Interlocked.Increment(ref _counts.Total);
        Interlocked.Increment(ref _counts.Unanswered);
        unansweredRun = Interlocked.Increment(ref _counts.UnansweredRun);
        return Interlocked.Increment(ref _counts.FailureRun);
    }

    /// <summary>An answer that was counted at its head has come to its end.</summary>
    public void RecordWhole()
    {
        if (_counts.CutRun != 0) Volatile.Write(ref _counts.CutRun, 0);
    }

    /// <summary>An answer that was counted as a success at its head was cut off after that.</summary>
    /// <returns>The run of those that it is the last of, so that each length is returned once.</returns>
    public int RecordCut()
    {
        Interlocked.Increment(ref _counts.Unanswered);
        return Interlocked.Increment(ref _counts.CutRun);
    }

    /// <summary>Begins all runs anew, as if so many attempts in a row had just gone unanswered.</summary>
    internal void RestartRuns(int unanswered)
    {
        Volatile.Write(ref _counts.FailureRun, 0);
        Volatile.Write(ref _counts.CutRun, 0);
        Volatile.Write(ref _counts.UnansweredRun, unanswered);
    }
}
