using System.Threading.Channels;
using Gateway.Config;
using Gateway.ControlPlane.Apply;
using Gateway.ControlPlane.Store;
using Microsoft.Extensions.Logging;

namespace Gateway.ControlPlane.Provider;

/// <summary>
/// Applies the configuration file when its content changes: heard of by watches, and as a safety net by looking every few seconds. Content
/// counts, not time stamps: the same bytes again are no change, so an apply over the admin API stays live until the file really changes
/// (the last writer wins, but for what is laid over the file by name). A broken or half-written file leaves live what was, and
/// is told of in the log, the metric and readiness until it is mended.
/// </summary>
public sealed partial class FileProvider : IAsyncDisposable
{
    /// <summary>Editors and copies write in several steps; the file is read when it was quiet for so long.</summary>
    private static readonly TimeSpan Quiet = TimeSpan.FromMilliseconds(200);

    /// <summary>A file that is written to without a pause is read nevertheless.</summary>
    private static readonly TimeSpan MostPatience = TimeSpan.FromSeconds(2);

    private static readonly TimeSpan PollInterval = TimeSpan.FromSeconds(3);

    /// <summary>Up to this size each poll compares the content; beyond it the time stamp and length must differ first.</summary>
    private const long AlwaysHashed = 1 << 20;

    private readonly string _path;
    private readonly ApplyQueue _queue;
    private readonly TimeProvider _time;
    private readonly ILogger _logger;
    private readonly FileWatch _watch;
    private readonly ChangeOrigin _origin;
    private readonly Channel<bool> _hints = Channel.CreateBounded<bool>(new BoundedChannelOptions(1) { FullMode = BoundedChannelFullMode.DropWrite });
    private readonly CancellationTokenSource _stop = new();
    private Task _loop = Task.CompletedTask;
    private FileStatus _status;
    private bool _forced;
    private bool _disposed;

    // Digest of the content that was dealt with, for good or ill; empty for an unreadable file, null to look again. The loop's alone.
    private string? _settled;
    private (DateTime Written, long Length) _stamp;

    public FileProvider(string path, ApplyQueue queue, TimeProvider time, ILoggerFactory loggers)
    {
        _path = Path.GetFullPath(path);
        _queue = queue;
        _time = time;
        _logger = loggers.CreateLogger("gateway.file");
        _watch = new FileWatch(_path, () => _hints.Writer.TryWrite(true), _logger);
        _origin = new ChangeOrigin("file", _path, "");
        _queue.RolloutEnded += () => _hints.Writer.TryWrite(true);
        _status = new FileStatus(_path, [], time.GetUtcNow());
    }

    public FileStatus Status => Volatile.Read(ref _status);

    /// <summary>Reads the file for the start and hands it to the queue.</summary>
    public async Task<StartResult> StartAsync(bool lastGood)
    {
        (ConfigDocument? document, ConfigError? error) = Read();
        StartResult result = await _queue.StartAsync(document, error, _origin, lastGood);
        _settled = document?.Digest ?? "";
        Settle(result.FileErrors);
        return result;
    }

    /// <summary>Begins to watch.</summary>
    public void Watch() => _loop = Task.Run(LoopAsync);

    /// <summary>SIGHUP: reads the file at once and applies it even if it has not changed, over what came by the admin API.</summary>
    public void ReadNow()
    {
        Volatile.Write(ref _forced, true);
        _ = _hints.Writer.TryWrite(true);
    }

    public async ValueTask DisposeAsync()
    {
        if (Interlocked.Exchange(ref _disposed, true)) return;
        await _stop.CancelAsync();
        _watch.Dispose();
        await _loop;
        _stop.Dispose();
    }

    private async Task LoopAsync()
    {
        try
        {
            // The first round finds what changed between the start and the watch.
            for (bool hinted = true; ; hinted = await HintAsync(PollInterval))
            {
                _watch.Follow();
                if (hinted) await QuietAsync();
                bool forced = Interlocked.Exchange(ref _forced, false);
                if (!hinted && !forced && !MayHaveChanged()) continue;
                try
                {
                    await LookAsync(forced);
                }
                catch (Exception e) when (e is not OperationCanceledException and not ObjectDisposedException)
                {
                    // A defect of ours, logged by the queue too; the next change may fare better.
                    LogFault(_logger, e, _path);
                    Settle([new ConfigError("", "internal", "the file could not be applied for a defect of the gateway; its log says more")]);
                }
            }
        }
        catch (Exception e) when (e is OperationCanceledException or ObjectDisposedException)
        {
            // The end.
        }
    }

    private async Task LookAsync(bool forced)
    {
        (ConfigDocument? document, ConfigError? error) = Read();
        string digest = document?.Digest ?? "";
        if (digest == _settled && !forced) return;
        _settled = digest;
        // The links may have changed with the content.
        _watch.Follow();
        if (document is null)
        {
            Settle([error!]);
            LogUnreadable(_logger, error!.Message);
            return;
        }
        ApplyResult result = await _queue.ApplyAsync(new ApplyRequest(document, _origin), _stop.Token);
        if (result.IsGood) Settle([]);
        // A rollback that came while the file was on its way is the later decision.
        else if (result.Outcome is ApplyOutcome.Rejected or ApplyOutcome.Unsigned or ApplyOutcome.Overtaken)
        {
            Settle(result.Errors);
            foreach (ConfigError one in result.Errors) LogError(_logger, _path, one);
        }
        else
        {
            // Not the file's fault (too many snapshots in use, a rollout): the next look tries again.
            _settled = null;
            Settle([new ConfigError("", "not_applied", result.Outcome == ApplyOutcome.RolloutRunning
                ? "the file waits for the rollout that is running, and is applied when that has ended"
                : $"the file could not be applied yet ({result.ResultName}); it is tried again every few seconds")]);
        }
    }

    private (ConfigDocument? Document, ConfigError? Error) Read()
    {
        try
        {
            FileInfo file = new(_path);
            FileSystemInfo real = file.ResolveLinkTarget(returnFinalTarget: true) ?? file;
            _stamp = (real.LastWriteTimeUtc, real is FileInfo { Exists: true } info ? info.Length : -1);
            if (_stamp.Length > ConfigDocument.MaxBytes)
                return (null, new ConfigError("", ConfigErrorCodes.TooLarge, $"'{_path}' has {_stamp.Length} bytes; at most {ConfigDocument.MaxBytes} are read"));
            return (new ConfigDocument(File.ReadAllBytes(_path), ConfigDocument.FormatOfFile(_path)), null);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            return (null, new ConfigError("", ConfigErrorCodes.FileUnreadable, $"'{_path}' cannot be read: {e.Message}"));
        }
    }

    private bool MayHaveChanged()
    {
        try
        {
            FileInfo file = new(_path);
            FileSystemInfo real = file.ResolveLinkTarget(returnFinalTarget: true) ?? file;
            long length = real is FileInfo { Exists: true } info ? info.Length : -1;
            return _settled is null || length <= AlwaysHashed || (real.LastWriteTimeUtc, length) != _stamp;
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            return true;
        }
    }

    // Waits for a pause in the hints; SIGHUP ends the waiting.
    private async Task QuietAsync()
    {
        long start = _time.GetTimestamp();
        while (!Volatile.Read(ref _forced) && _time.GetElapsedTime(start) < MostPatience)
        {
            if (!await HintAsync(Quiet)) return;
        }
    }

    /// <summary>Whether there was a hint within the time.</summary>
    private async Task<bool> HintAsync(TimeSpan within)
    {
        if (_hints.Reader.TryRead(out _)) return true;
        using CancellationTokenSource timeout = new(within, _time);
        using CancellationTokenSource either = CancellationTokenSource.CreateLinkedTokenSource(timeout.Token, _stop.Token);
        try
        {
            return await _hints.Reader.ReadAsync(either.Token);
        }
        catch (OperationCanceledException) when (!_stop.IsCancellationRequested)
        {
            return false;
        }
    }

    private void Settle(IReadOnlyList<ConfigError> errors)
    {
        Volatile.Write(ref _status, new FileStatus(_path, errors, _time.GetUtcNow()));
        _queue.Metrics.FileError(errors.Count > 0);
    }

    [LoggerMessage(1101, LogLevel.Error, "{Path}: {Error}")]
    private static partial void LogError(ILogger logger, string path, ConfigError error);

    [LoggerMessage(1102, LogLevel.Error, "the configuration file is gone or unreadable; what was live stays live: {Detail}")]
    private static partial void LogUnreadable(ILogger logger, string detail);

    [LoggerMessage(1103, LogLevel.Error, "{Path} could not be applied for a defect of the gateway")]
    private static partial void LogFault(ILogger logger, Exception exception, string path);
}
