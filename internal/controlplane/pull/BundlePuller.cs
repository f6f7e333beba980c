using Gateway.Bundle;
using Gateway.Config;
using Gateway.ControlPlane.Apply;
using Gateway.ControlPlane.Bundles;
using Gateway.ControlPlane.Rollout;
using Gateway.DataPlane.Obs;
using Microsoft.Extensions.Logging;

namespace Gateway.ControlPlane.Pull;

/// <summary>
/// Fetches the distributor's latest bundle and hands it to the intake, as if somebody had pushed it. A bundle that does not pass is not tried
/// again; what is no fault of the bundle (the distributor away, too many snapshots in use, a full disk) is. Whatever fails here, what is
/// live stays live. One loop; <see cref="Status"/> may be read by any thread.
/// </summary>
public sealed partial class BundlePuller : IAsyncDisposable
{
    private readonly PullOptions _options;
    private readonly PullClient _client;
    private readonly PullMemory _memory;
    private readonly PullSchedule _schedule;
    private readonly BundleIntake _intake;
    private readonly Func<long> _appliedSequence;
    private readonly MetricFamily _pulls;
    private readonly TimeProvider _time;
    private readonly ILogger _logger;
    private readonly CancellationTokenSource _stop = new();
    private Task _loop = Task.CompletedTask;
    private PullStatus _status;
    private string? _told;

    // The bundle whose rollout runs. Not on the disk: a process that dies before its end asks for it again.
    private BegunBundle? _begun;
    private bool _disposed;

    private sealed record BegunBundle(string Digest, string? ETag, long Sequence, string Version);

    /// <param name="appliedSequence">The highest sequence of a bundle that was applied; 0 for none.</param>
    /// <param name="random">From 0 to below 1.</param>
    public BundlePuller(PullOptions options, BundleIntake intake, Func<long> appliedSequence, PullMemory memory, GatewayMetrics metrics, Func<double> random, TimeProvider time, ILoggerFactory loggers)
        : this(options, new PullClient(options, time), intake, appliedSequence, memory, metrics, random, time, loggers)
    {
    }

    internal BundlePuller(PullOptions options, PullClient client, BundleIntake intake, Func<long> appliedSequence, PullMemory memory, GatewayMetrics metrics, Func<double> random, TimeProvider time, ILoggerFactory loggers)
    {
        _options = options;
        _client = client;
        _memory = memory;
        _schedule = new PullSchedule(options.Interval, random);
        _intake = intake;
        _appliedSequence = appliedSequence;
        _pulls = metrics.Counter("config_pulls_total", "Requests for the distributor's latest bundle, by how they ended: applied, rolling_out (its rollout runs), unchanged, refused (now or before), retry (could not be taken yet), or why there was no answer.", "result");
        _time = time;
        _logger = loggers.CreateLogger("gateway.pull");
        _status = new PullStatus(options.Url) { Refused = memory.LastRefused };
        if (memory.Note is not null) LogMemory(_logger, memory.Note);
    }

    /// <summary>Which candidates were tried before, and how that ended; null where nothing is rolled out.</summary>
    public RolloutDirector? Rollouts { get; init; }

    public PullStatus Status => Volatile.Read(ref _status);

    /// <summary>Begins to ask, at once.</summary>
    public void Start() => _loop = Task.Run(LoopAsync);

    public async ValueTask DisposeAsync()
    {
        if (Interlocked.Exchange(ref _disposed, true)) return;
        await _stop.CancelAsync();
        await _loop;
        _client.Dispose();
        _stop.Dispose();
    }

    private async Task LoopAsync()
    {
        try
        {
            while (true)
            {
                TimeSpan pause = await TryAsync();
                if (pause > TimeSpan.Zero) await Task.Delay(pause, _time, _stop.Token);
            }
        }
        catch (Exception e) when (e is OperationCanceledException or ObjectDisposedException)
        {
            // The end.
        }
    }

    private async Task<TimeSpan> TryAsync()
    {
        try
        {
            return await PullAsync(_stop.Token);
        }
        catch (Exception e) when (e is not OperationCanceledException and not ObjectDisposedException)
        {
            LogFault(_logger, e);
            return Failed("internal", "a defect of the gateway; its log says more", null);
        }
    }

    /// <summary>One request and what comes of it; how long to pause until the next.</summary>
    internal async Task<TimeSpan> PullAsync(CancellationToken cancellationToken)
    {
        Volatile.Write(ref _status, Status with { NextTry = null });
        long start = _time.GetTimestamp();
        PullAnswer answer = await _client.FetchAsync(_begun?.ETag ?? _memory.ETag, _schedule.Wait, cancellationToken);
        if (answer.Failure is { } failure) return Failed(failure, answer.Reason, answer.RetryAfter);
        if (!answer.Bundle.IsEmpty) return await TakeAsync(answer, start, cancellationToken);
        if (_begun is not { } begun) return Succeeded(Status.Refused is null ? "unchanged" : "refused", Status.Refused, answer, start);
        RolloutRecord? rollout = Rollouts?.LastOf(begun.Version, begun.Sequence);
        if (rollout is { IsEnded: false } || Rollouts?.IsRollingOut(begun.Version) == true) return Succeeded("rolling_out", null, answer, start);
        if (rollout is { HasFailed: true }) return Refuse(begun, rollout, answer, start);
        _begun = null;
        if (rollout?.State == RolloutState.Promoted)
        {
            Remember(() => _memory.Settle(begun.Digest, begun.ETag));
            return Succeeded("unchanged", null, answer, start);
        }
        // It was taken back through no fault of its own: once more.
        return await PullAsync(cancellationToken);
    }

    private TimeSpan Refuse(BegunBundle bundle, RolloutRecord rollout, PullAnswer answer, long start)
    {
        RefusedBundle failed = new(bundle.Digest, bundle.Sequence, bundle.Version, RolloutText.Name(rollout.State), $"rollout {rollout.Id}: {rollout.Reason}", rollout.EndedAt ?? _time.GetUtcNow());
        LogRefused(_logger, failed.Sequence, _options.Url, failed.Code, failed.Reason);
        _begun = null;
        Remember(() => _memory.Refuse(failed));
        Remember(() => _memory.Settle(bundle.Digest, bundle.ETag));
        return Succeeded("refused", failed, answer, start);
    }

    private async Task<TimeSpan> TakeAsync(PullAnswer answer, long start, CancellationToken cancellationToken)
    {
        _begun = null;
        string digest = BundleFile.DigestOf(answer.Bundle.Span);
        if (_memory.Find(digest) is { } known)
        {
            Remember(() => _memory.Settle(digest, answer.ETag));
            return Succeeded("refused", known, answer, start);
        }
        // Not verified, and need not be: who can make this up could as well serve nothing.
        BundleManifest? manifest = BundleFile.Inspect(answer.Bundle, out _)?.Manifest;
        if (manifest is not null && manifest.Sequence == _appliedSequence())
        {
            Remember(() => _memory.Settle(digest, answer.ETag));
            return Succeeded("unchanged", null, answer, start);
        }
        BegunBundle? bundle = manifest is null ? null : new(digest, answer.ETag, manifest.Sequence, manifest.ConfigSha256);
        // The same configuration under a higher sequence is somebody's decision to try it again.
        RolloutRecord? tried = bundle is null ? null : Rollouts?.LastOf(bundle.Version, bundle.Sequence);
        if (tried is { IsEnded: false } || (bundle is not null && Rollouts?.IsRollingOut(bundle.Version) == true)) return RollsOut();
        if (tried is { HasFailed: true }) return Refuse(bundle!, tried, answer, start);
        BundleOutcome outcome = await _intake.TakeAsync(answer.Bundle, new ChangeOrigin("bundle", "pull", _options.Url.Authority), cancellationToken, byItself: true);
        PullVerdict verdict = PullVerdict.Of(outcome);
        if (verdict.Kind == PullVerdictKind.Later) return Failed("retry", $"bundle {manifest?.Sequence} could not be taken yet: {verdict.Reason}", null);
        if (verdict.Kind == PullVerdictKind.Begun) return RollsOut();
        RefusedBundle? refused = null;
        if (verdict.Kind == PullVerdictKind.Refused)
        {
            refused = new RefusedBundle(digest, manifest?.Sequence ?? 0, manifest?.ConfigSha256 ?? "", verdict.Code, verdict.Reason, _time.GetUtcNow());
            LogRefused(_logger, refused.Sequence, _options.Url, refused.Code, refused.Reason);
            Remember(() => _memory.Refuse(refused));
        }
        Remember(() => _memory.Settle(digest, answer.ETag));
        return Succeeded(refused is null ? "applied" : "refused", refused, answer, start, isNews: true);

        // Dealt with when the rollout has ended; until then it need not be sent again.
        TimeSpan RollsOut()
        {
            _begun = bundle;
            return Succeeded("rolling_out", null, answer, start);
        }
    }

    private TimeSpan Succeeded(string result, RefusedBundle? refused, PullAnswer answer, long start, bool isNews = false)
    {
        _pulls.Add(1, result);
        int failures = _schedule.Failures;
        TimeSpan pause = _schedule.AfterSuccess(_time.GetElapsedTime(start));
        // A server that waits is asked for the next news at once. Only then: one that always has an answer at once would be asked without end.
        if (isNews && answer is { Waits: true, ETag: not null }) pause = TimeSpan.Zero;
        DateTimeOffset now = _time.GetUtcNow();
        if (_told is not null || Status.LastSuccess is null) LogWorks(_logger, _options.Url, answer.Waits ? "waiting there for news" : $"about every {DurationText.Format(_options.Interval)}", failures);
        _told = null;
        Volatile.Write(ref _status, Status with { LastSuccess = now, Failures = 0, NextTry = now + pause, Refused = refused });
        return pause;
    }

    private TimeSpan Failed(string result, string reason, TimeSpan? retryAfter)
    {
        _pulls.Add(1, result);
        TimeSpan pause = _schedule.AfterFailure(retryAfter);
        DateTimeOffset now = _time.GetUtcNow();
        // Once per kind of trouble, however long it lasts.
        if (_told != result) LogFailed(_logger, _options.Url, reason);
        _told = result;
        Volatile.Write(ref _status, Status with { LastError = reason, LastErrorAt = now, Failures = _schedule.Failures, NextTry = now + pause });
        return pause;
    }

    private void Remember(Action write)
    {
        try
        {
            write();
        }
        catch (IOException e)
        {
            LogMemory(_logger, $"cannot write down what was pulled, so that after a restart it is tried once more: {e.Message}");
        }
    }

    [LoggerMessage(1400, LogLevel.Information, "bundles are pulled from {Url}, {How}, after {Failures} failure(s)")]
    private static partial void LogWorks(ILogger logger, Uri url, string how, int failures);

    [LoggerMessage(1401, LogLevel.Warning, "cannot pull from {Url}; what is live stays live, and it is tried again at least every 5 minutes: {Reason}")]
    private static partial void LogFailed(ILogger logger, Uri url, string reason);

    [LoggerMessage(1402, LogLevel.Warning, "bundle {Sequence} from {Url} did not pass and is not tried again; what is live stays live: {Code}: {Reason}")]
    private static partial void LogRefused(ILogger logger, long sequence, Uri url, string code, string reason);

    [LoggerMessage(1403, LogLevel.Warning, "{Detail}")]
    private static partial void LogMemory(ILogger logger, string detail);

    [LoggerMessage(1404, LogLevel.Error, "a pull failed inside the gateway; it is tried again")]
    private static partial void LogFault(ILogger logger, Exception exception);
}
