using System.Collections.Concurrent;
using Microsoft.Extensions.Logging;

namespace Gateway.DataPlane.Obs;

/// <param name="StandardOutput">For the output <c>stdout</c>; the executable's to give.</param>
/// <param name="Logger">For what goes wrong with the log itself.</param>
/// <param name="Time">The clock of the entries' timestamps.</param>
/// <param name="Metrics">Where drops are counted.</param>
/// <param name="Seed">Of the choice of lines where a share is sampled.</param>
internal sealed record AccessLogOptions(Stream StandardOutput, ILogger Logger, TimeProvider Time, GatewayMetrics Metrics, ulong Seed)
{
    /// <summary>Lines that may wait: a third of a second at 50 000 requests a second. A power of two.</summary>
    public int Capacity { get; init; } = 16 * 1024;
}

/// <summary>
/// The access log. A request hands over its entry and goes on; lines are formatted and written in batches by one thread of the log's own,
/// because files and a full pipe on standard output block. When the writer cannot keep up, entries are dropped and counted, and no request
/// waits. Thread safe. One for the life of the process: <see cref="Reconfigure"/> follows the snapshots, and each line goes where the
/// settings that were current at its request's end said.
/// </summary>
internal sealed partial class AccessLog : IAsyncDisposable
{
    // Lines are on their way for this long at most, for the sake of few and large writes; for less where more come than make a large write. What is
    // put off longer keeps a processor busy for longer at a time, and the loop that shares it from its clients.
    private static readonly TimeSpan BatchTime = TimeSpan.FromMilliseconds(50);
    private static readonly TimeSpan LeastBatchTime = TimeSpan.FromMilliseconds(5);
    private const int BatchLines = 256;
    private static readonly TimeSpan IdleTime = TimeSpan.FromSeconds(1);
    private static readonly TimeSpan ComplaintInterval = TimeSpan.FromMinutes(1);

    // After this long without a line the writer asks to be woken by the next one.
    private const int IdleRounds = 20;
    private const int BatchBytes = 64 * 1024;

    private readonly AccessLogOptions _options;
    private readonly AccessLogQueue _queue;
    private readonly int _wakeMask;
    private readonly AutoResetEvent _wake = new(false);
    private readonly TaskCompletionSource _ended = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private readonly ConcurrentQueue<(long Position, TaskCompletionSource Done)> _flushes = new();
    private readonly MetricSeries _droppedFull;
    private readonly MetricSeries _droppedWrite;
    private readonly MetricSeries _writeErrors;
    private AccessLogModel _model = AccessLogModel.Off;
    private ulong _tickets;
    private int _asleep;
    private int _closing;
    private int _reopen;

    // The writer's own.
    private readonly AccessLogFormatter _formatter;
    private readonly LineBuffer _buffer = new();
    private AccessLogOutput? _output;
    private AccessLogModel _outputModel = AccessLogModel.Off;
    private int _batched;
    private long _lookedAfter;
    private long _complainedAt;
    private int _failures;

    public AccessLog(AccessLogOptions options)
    {
        _options = options;
        _queue = new AccessLogQueue(options.Capacity);
        // Woken four times per round of the ring, whatever the batch time says.
        _wakeMask = Math.Max(0, (options.Capacity / 4) - 1);
        _formatter = new AccessLogFormatter(options.Time);
        MetricFamily dropped = options.Metrics.Counter("access_log_dropped_total", "Access log lines dropped: the queue was full, or the output refused them.", "reason");
        _droppedFull = dropped.With("queue_full");
        _droppedWrite = dropped.With("write_failed");
        _writeErrors = options.Metrics.Counter("access_log_write_errors_total", "Failed writes to the access log's output.").With();
        new Thread(Run) { Name = "access log", IsBackground = true }.Start();
    }

    /// <summary>Whether a request that ended so is to be logged; where a share is kept, this is the choice. Then fill an entry and <see cref="Write"/> it.</summary>
    public bool Wants(int status)
    {
        AccessLogModel model = Volatile.Read(ref _model);
        if (model.Output == AccessLogOutputKind.Off) return false;
        ulong keep = model.Keep(status);
        if (keep >> 32 != 0) return true;
        if (keep == 0) return false;
        // SplitMix64 (Steele, Lea, Flood 2014) over a counter.
        ulong z = _options.Seed + (Interlocked.Increment(ref _tickets) * 0x9E3779B97F4A7C15);
        z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9;
        z = (z ^ (z >> 27)) * 0x94D049BB133111EB;
        return (z ^ (z >> 31)) >> 32 < keep;
    }

    /// <summary>Hands an entry over. Never blocks and allocates nothing; when the queue is full the entry is dropped and counted.</summary>
    public void Write(in AccessLogEntry entry)
    {
        AccessLogModel model = Volatile.Read(ref _model);
        if (model.Output == AccessLogOutputKind.Off) return;
        long position = Volatile.Read(ref _closing) != 0 ? -1 : _queue.TryEnqueue(entry, model);
        if (position < 0) _droppedFull.Add(1);
        // The writer may fall asleep just as this reads that it is awake; it then looks again after IdleTime.
        else if ((position & _wakeMask) == _wakeMask || Volatile.Read(ref _asleep) != 0) Wake();
    }

    /// <summary>New settings, for requests that end from now on.</summary>
    public void Reconfigure(AccessLogModel model)
    {
        Volatile.Write(ref _model, model);
        Wake();
    }

    /// <summary>Opens a file output anew: after it was rotated, where that is not noticed by itself.</summary>
    public void Reopen()
    {
        Volatile.Write(ref _reopen, 1);
        Wake();
    }

    /// <summary>Ends when all that was handed over before has been written (or has failed to be).</summary>
    public Task FlushAsync()
    {
        TaskCompletionSource done = new(TaskCreationOptions.RunContinuationsAsynchronously);
        _flushes.Enqueue((_queue.Tail, done));
        Wake();
        return Task.WhenAny(done.Task, _ended.Task);
    }

    /// <summary>Writes what was handed over, and ends. An output that takes nothing any more, such as a pipe nobody reads, is left after ten seconds.</summary>
    public async ValueTask DisposeAsync()
    {
        Volatile.Write(ref _closing, 1);
        Wake();
        try
        {
            await _ended.Task.WaitAsync(TimeSpan.FromSeconds(10));
        }
        catch (TimeoutException)
        {
            LogStuck(_options.Logger, _queue.Tail - _queue.Head);
        }
    }

    private void Wake()
    {
        Volatile.Write(ref _asleep, 0);
        _wake.Set();
    }

    private void Run()
    {
        int idle = 0;
        TimeSpan pause = BatchTime;
        while (true)
        {
            bool closing = Volatile.Read(ref _closing) != 0;
            int lines = Drain();
            LookAfterOutput();
            CompleteFlushes();
            // A writer that had claimed its slot before the end was declared gets to fill it.
            if (closing && _queue.Head == _queue.Tail) break;

            idle = lines > 0 ? 0 : idle + 1;
            if (idle < IdleRounds || closing)
            {
                pause = new TimeSpan(Math.Clamp(pause.Ticks * BatchLines / Math.Max(lines, 1), LeastBatchTime.Ticks, BatchTime.Ticks));
                _wake.WaitOne(closing ? TimeSpan.FromMilliseconds(1) : pause);
                continue;
            }
            Volatile.Write(ref _asleep, 1);
            Interlocked.MemoryBarrier();
            if (!_queue.CanRead) _wake.WaitOne(IdleTime);
            Volatile.Write(ref _asleep, 0);
        }
        _output?.Dispose();
        _ended.SetResult();
    }

    /// <summary>How many lines there were.</summary>
    private int Drain()
    {
        int lines = 0;
        if (!_queue.CanRead) return lines;
        _formatter.Synchronize();
        while (_queue.CanRead)
        {
            ref readonly AccessLogEntry entry = ref _queue.Next;
            AccessLogModel model = entry.Model!;
            if (!ReferenceEquals(model, _outputModel)) Switch(model);
            _formatter.Append(_buffer, entry, model);
            _batched++;
            lines++;
            _queue.Advance();
            if (_buffer.Length >= BatchBytes) WriteBatch();
        }
        WriteBatch();
        return lines;
    }

    private void Switch(AccessLogModel model)
    {
        WriteBatch();
        bool same = _outputModel.Output == model.Output && _outputModel.Path == model.Path;
        _outputModel = model;
        if (same) return;
        _output?.Dispose();
        _output = model.Output switch
        {
            AccessLogOutputKind.Stdout => new StreamOutput(_options.StandardOutput),
            AccessLogOutputKind.File => new FileOutput(model.Path),
            _ => null,
        };
    }

    private void WriteBatch()
    {
        if (_batched == 0) return;
        try
        {
            _output!.Write(_buffer.Written);
        }
        catch (Exception error) when (error is IOException or UnauthorizedAccessException or ObjectDisposedException or NotSupportedException)
        {
            _writeErrors.Add(1);
            _droppedWrite.Add(_batched);
            Complain(error);
            // A file may be there again next time.
            if (_output is FileOutput) _output.Dispose();
        }
        _buffer.Clear();
        _batched = 0;
    }

    private void LookAfterOutput()
    {
        AccessLogModel current = Volatile.Read(ref _model);
        if (!_queue.CanRead && !ReferenceEquals(current, _outputModel)) Switch(current);
        bool reopen = Interlocked.Exchange(ref _reopen, 0) != 0;
        if (!reopen && _options.Time.GetElapsedTime(_lookedAfter) < IdleTime) return;
        _lookedAfter = _options.Time.GetTimestamp();
        try
        {
            _output?.LookAfter(reopen);
        }
        catch (Exception error) when (error is IOException or UnauthorizedAccessException)
        {
            Complain(error);
        }
    }

    private void CompleteFlushes()
    {
        while (_flushes.TryPeek(out (long Position, TaskCompletionSource Done) flush) && flush.Position <= _queue.Head)
        {
            _ = _flushes.TryDequeue(out _);
            flush.Done.SetResult();
        }
    }

    private void Complain(Exception error)
    {
        _failures++;
        if (_complainedAt != 0 && _options.Time.GetElapsedTime(_complainedAt) < ComplaintInterval) return;
        _complainedAt = _options.Time.GetTimestamp();
        string output = _outputModel.Output == AccessLogOutputKind.File ? _outputModel.Path : "stdout";
        LogWriteFailed(_options.Logger, error, output, _failures);
        _failures = 0;
    }

    [LoggerMessage(1301, LogLevel.Error, "The access log cannot be written to {Output}: {Failures} failed writes since this was last said (at most once a minute). Traffic goes on; the lines are lost and counted.")]
    private static partial void LogWriteFailed(ILogger logger, Exception error, string output, int failures);

    [LoggerMessage(1302, LogLevel.Warning, "The access log's output takes nothing; {Lines} lines are left behind.")]
    private static partial void LogStuck(ILogger logger, long lines);
}
