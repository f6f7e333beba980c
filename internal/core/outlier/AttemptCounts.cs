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
        [FieldOffset(100)] public int SilentRun;
        [FieldOffset(104)] public long SilentSince;
    }

    /// <summary>
    /// So many silent attempts in a row, none answered in between, say that the endpoint does not answer, once it has gone on for some time.
    /// One that is well loses a twentieth of its attempts so, as only those count that waited for longer than most answers take: five in a
    /// row come about once in three million, and all that are under way together when the process pauses, which is what the time is for.
    /// </summary>
    public const int LongSilence = 5;

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

    /// <summary>Attempts that were called off while they were silent (<see cref="RecordSilent"/>), since the last answer.</summary>
    public int SilentRun => Volatile.Read(ref _counts.SilentRun);

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
        if (_counts.SilentRun != 0) Volatile.Write(ref _counts.SilentRun, 0);
        Latencies?.Record(latency);
    }

    /// <returns>The run of failures that this one is the last of, so that each length is returned once.</returns>
    public int RecordError()
    {
        Interlocked.Increment(ref _counts.Total);
        Interlocked.Increment(ref _counts.Errors);
        if (_counts.UnansweredRun != 0) Volatile.Write(ref _counts.UnansweredRun, 0);
        if (_counts.SilentRun != 0) Volatile.Write(ref _counts.SilentRun, 0);
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

    /// <summary>
    /// An attempt was called off, for another one was answered, after it had waited for longer than answers take. By itself that is no
    /// failure: it was not given the time to fail.
    /// </summary>
    /// <param name="waited">Its latency would have been more than this, in the unit of all others.</param>
    /// <param name="now">The present time.</param>
    /// <param name="least">How long a silence must have lasted to say something, in the unit of <paramref name="now"/>.</param>
    /// <returns>True: the endpoint has been silent for so many and for so long that this one is to be recorded as unanswered.</returns>
    public bool RecordSilent(long waited, long now, long least)
    {
        Latencies?.Record(waited);
        int run = Interlocked.Increment(ref _counts.SilentRun);
        // Read with another's run at worst by those that follow at once, who are not yet enough.
        if (run == 1) Volatile.Write(ref _counts.SilentSince, now);
        return run >= LongSilence && now - Volatile.Read(ref _counts.SilentSince) >= least;
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
        Volatile.Write(ref _counts.SilentRun, 0);
        Volatile.Write(ref _counts.UnansweredRun, unanswered);
    }
}
