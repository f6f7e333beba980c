using System.Threading.Channels;
using Gateway.Config;
using Gateway.ControlPlane.Store;
using Gateway.DataPlane.Runtime;
using Gateway.DataPlane.Server;
using Microsoft.Extensions.Logging;

namespace Gateway.ControlPlane.Apply;

/// <summary>
/// The one way into the live configuration: changes are taken one at a time, in the order in which they came. Thread safe.
/// <para>
/// Last writer wins: an apply over the admin API replaces what the file brought, and the next change of the file's content replaces that.
/// </para>
/// <para>
/// What is durable when: the document is on the disk before the publish, its record and the last-good pointer after it, and only then is
/// the client answered. A process that dies in between has published something that nobody was told of; after the restart the history does
/// not claim it.
/// </para>
/// </summary>
public sealed partial class ApplyQueue : IAsyncDisposable
{
    /// <summary>behaviours.md, "Snapshot": more replaced snapshots in use than this, and an apply waits, then gives up.</summary>
    private const int MostRetiredSnapshots = 10;
    private static readonly TimeSpan PressurePatience = TimeSpan.FromSeconds(2);
    private static readonly TimeSpan PressurePoll = TimeSpan.FromMilliseconds(20);

    private readonly Channel<Func<Task>> _jobs = Channel.CreateUnbounded<Func<Task>>(new UnboundedChannelOptions { SingleReader = true });
    private readonly DataPlaneHost _host;
    private readonly ConfigStore _store;
    private readonly CandidateSteps _steps;
    private readonly ApplyLedger _ledger;
    private readonly SideListener _sideListener;
    private readonly TimeProvider _time;
    private readonly ILogger _logger;
    private readonly Task _worker;
    private LiveConfiguration? _live;
    private string? _fileDigest;

    public ApplyQueue(DataPlaneHost host, ConfigStore store, AuditLog audit, DocumentReader reader, SideListener sideListener, TimeProvider time, ILoggerFactory loggers)
    {
        _host = host;
        _store = store;
        _sideListener = sideListener;
        _time = time;
        _logger = loggers.CreateLogger("gateway.apply");
        _steps = new CandidateSteps(reader, host);
        Metrics = new ApplyMetrics(host.Metrics);
        _ledger = new ApplyLedger(store, audit, Metrics, time, _logger);
        _worker = Task.Run(WorkAsync);
    }

    public ApplyMetrics Metrics { get; }

    /// <summary>Null before the first publish.</summary>
    public LiveConfiguration? Live => Volatile.Read(ref _live);

    /// <summary>Raised by the queue after each publish, before whoever asked is answered.</summary>
    public event Action? Published;

    /// <summary>Digest of the configuration file's content as it was last seen. Written by the file provider; goes into every record.</summary>
    public string? FileDigest
    {
        get => Volatile.Read(ref _fileDigest);
        set => Volatile.Write(ref _fileDigest, value);
    }

    /// <param name="cancellationToken">Takes the change out of the queue; one that has begun is finished.</param>
    public Task<ApplyResult> ApplyAsync(ApplyRequest request, CancellationToken cancellationToken) =>
        EnqueueAsync(() => ApplyOneAsync(request), cancellationToken);

    /// <summary>Goes back to a version that was applied, or (null) to the one before the live one. No gate: neither If-Match nor pressure holds it up.</summary>
    public Task<ApplyResult> RollbackAsync(string? version, ChangeOrigin origin, CancellationToken cancellationToken) =>
        EnqueueAsync(() => RollbackOneAsync(version, origin), cancellationToken);

    /// <summary>The first configuration of this process; the file, unless something was applied over it before the restart and it has not changed since.</summary>
    public Task<StartResult> StartAsync(ConfigDocument? file, ConfigError? fileError, ChangeOrigin origin, bool lastGood) =>
        EnqueueAsync(() => StartOneAsync(file, fileError, origin, lastGood), CancellationToken.None);

    /// <summary>Every step but the publish. Does not wait for applies, and holds none up.</summary>
    public ApplyResult Validate(ConfigDocument document)
    {
        long start = _time.GetTimestamp();
        Candidate candidate = _steps.Compile(_steps.Read(document), "admin");
        return Result(candidate.IsBroken ? ApplyOutcome.Rejected : ApplyOutcome.Valid, candidate, start);
    }

    /// <summary>The exact bytes of the live document.</summary>
    public byte[] ReadLive(LiveConfiguration live) =>
        live.UnstoredContent ?? _store.Read(new HistoryRecord { Source = "", Result = HistoryRecord.Applied, Digest = live.Digest, Format = live.Format == DocumentFormat.Yaml ? "yaml" : "json" });

    /// <summary>Ends the change that runs, refuses those that wait.</summary>
    public async ValueTask DisposeAsync()
    {
        _ = _jobs.Writer.TryComplete();
        await _worker;
    }

    private async Task<T> EnqueueAsync<T>(Func<Task<T>> change, CancellationToken cancellationToken)
    {
        TaskCompletionSource<T> done = new(TaskCreationOptions.RunContinuationsAsynchronously);
        bool queued = _jobs.Writer.TryWrite(async () =>
        {
            if (cancellationToken.IsCancellationRequested)
            {
                done.SetCanceled(cancellationToken);
                return;
            }
            try
            {
                done.SetResult(await change());
            }
            catch (Exception e)
            {
                // A defect of ours: whoever asked gets it, and the queue goes on.
                LogFault(_logger, e);
                done.SetException(e);
            }
        });
        if (!queued) throw new ObjectDisposedException(nameof(ApplyQueue), "the gateway is shutting down");
        return await done.Task;
    }

    private async Task WorkAsync()
    {
        await foreach (Func<Task> job in _jobs.Reader.ReadAllAsync()) await job();
    }

    private async Task<ApplyResult> ApplyOneAsync(ApplyRequest request)
    {
        long start = _time.GetTimestamp();
        ChangeOrigin origin = request.Origin;
        bool fromFile = origin.Source == "file";
        Candidate candidate = _steps.Read(request.Document);
        if (candidate.IsBroken) return Rejected(candidate, request, start);
        // Before If-Match, as RFC 9110 section 13.1.1 allows: a client that repeats an apply whose answer it lost is told that it holds.
        LiveConfiguration? live = Live;
        if (live is not null && candidate.Version == live.Version && live.Origin.Source != "last-good") return Noted(ApplyOutcome.Unchanged, candidate, request, start);
        if (request.IfMatch is { } wanted && !(live is not null && (wanted.Count == 0 || wanted.Contains(live.Version)))) return Noted(ApplyOutcome.Stale, candidate, request, start);
        candidate = _steps.Compile(candidate, origin.Source);
        if (candidate.IsBroken) return Rejected(candidate, request, start);
        if (request.DryRun) return Result(ApplyOutcome.Valid, candidate, start);
        if (!await PressureEasesAsync()) return Noted(ApplyOutcome.Pressure, candidate, request, start);
        string? unsaved = _ledger.Save(request.Document);
        if (unsaved is not null && !fromFile)
        {
            ConfigError error = new("", ApplyLedger.StoreFailed, $"the document cannot be stored, so it was not applied: {unsaved}. Check the space and the permissions of {_store.Folder}.");
            return Noted(ApplyOutcome.Failed, candidate with { Errors = [error] }, request, start);
        }
        candidate = await PublishAsync(candidate);
        if (candidate.IsBroken) return Rejected(candidate, request, start);
        candidate = Publicize(candidate, origin, start, target: null, detail: null, stored: unsaved is null);
        return Noted(ApplyOutcome.Applied, candidate, request, start);
    }

    private async Task<ApplyResult> RollbackOneAsync(string? version, ChangeOrigin origin)
    {
        long start = _time.GetTimestamp();
        LiveConfiguration? live = Live;
        HistoryRecord? target = RollbackTarget.Find(_store.History(), version, live?.Version, live?.Sequence ?? 0);
        if (target is null)
        {
            string why = version is null ? "nothing was applied before the live version" : $"version '{version}' is not in the history";
            return Ended(ApplyOutcome.UnknownVersion, new Candidate(new ConfigDocument(default, DocumentFormat.Json)) { Errors = [new ConfigError("version", "unknown_version", $"{why}; GET /admin/history lists what can be gone back to")] }, "rollback", origin, start);
        }
        Candidate candidate = ReadStored(target);
        if (!candidate.IsBroken && candidate.Version == live?.Version) return Ended(ApplyOutcome.Unchanged, candidate, "rollback", origin, start);
        candidate = _steps.Compile(candidate, origin.Source);
        if (!candidate.IsBroken) candidate = await PublishAsync(candidate);
        if (candidate.IsBroken) return Ended(ApplyOutcome.Rejected, candidate, "rollback", origin, start);
        candidate = Publicize(candidate, origin, start, target.Sequence, $"back to record {target.Sequence}, applied {target.Time:yyyy-MM-ddTHH:mm:ssZ}", stored: true);
        return Ended(ApplyOutcome.Applied, candidate, "rollback", origin, start);
    }

    private Candidate ReadStored(HistoryRecord record)
    {
        try
        {
            return _steps.Read(ConfigDocument.Of(record, _store.Read(record)));
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            return new Candidate(new ConfigDocument(default, DocumentFormat.Json)) { Version = record.Version, Errors = [new ConfigError("", ConfigErrorCodes.FileUnreadable, $"the stored document of version {record.Version} cannot be read: {e.Message}")] };
        }
    }

    private async Task<Candidate> PublishAsync(Candidate candidate)
    {
        (SideListener.Change? change, ConfigError? error) = await _sideListener.PrepareAsync(candidate.Config!.Metrics.Listener);
        if (error is not null) return candidate with { Errors = [error] };
        IReadOnlyList<ConfigError> errors = await _host.PublishAsync(candidate.Snapshot!, CancellationToken.None);
        if (errors.Count > 0)
        {
            await SideListener.AbandonAsync(change);
            return candidate with { Errors = errors };
        }
        await _sideListener.CommitAsync(change);
        return candidate;
    }

    /// <summary>What follows a publish: the record, the pointer, the metric. Returns the candidate with the warnings that came with that.</summary>
    private Candidate Publicize(Candidate candidate, ChangeOrigin origin, long start, long? target, string? detail, bool stored)
    {
        List<ConfigError> warnings = [.. candidate.Warnings];
        ConfigDocument document = candidate.Document;
        long sequence = 0;
        DateTimeOffset now = _time.GetUtcNow();
        if (stored)
        {
            sequence = _ledger.Record(new HistoryRecord
            {
                Time = now,
                Version = candidate.Version,
                Digest = document.Digest,
                Format = document.FormatName,
                Source = origin.Source,
                Actor = origin.Actor,
                Result = HistoryRecord.Applied,
                DurationMs = _time.GetElapsedTime(start).TotalMilliseconds,
                Detail = detail,
                FileDigest = FileDigest,
                Target = target,
            }, candidate.Config!.History.Keep, warnings);
        }
        SetLive(candidate, origin, now, sequence, warnings, stored);
        return candidate with { Warnings = warnings };
    }

    private void SetLive(Candidate candidate, ChangeOrigin origin, DateTimeOffset at, long sequence, IReadOnlyList<ConfigError> warnings, bool stored)
    {
        ConfigDocument document = candidate.Document;
        Volatile.Write(ref _live, new LiveConfiguration(candidate.Version!, document.Digest, document.Format, origin, at, sequence, warnings, stored ? null : document.Content.ToArray()));
        _ledger.Live(candidate.Version!, origin.Source);
        Published?.Invoke();
    }

    private async Task<bool> PressureEasesAsync()
    {
        long start = _time.GetTimestamp();
        while (_host.RetiredSnapshots > MostRetiredSnapshots)
        {
            if (_time.GetElapsedTime(start) >= PressurePatience) return false;
            await Task.Delay(PressurePoll, _time);
        }
        return true;
    }

    private ApplyResult Rejected(Candidate candidate, ApplyRequest request, long start)
    {
        if (request.DryRun) return Result(ApplyOutcome.Rejected, candidate, start);
        _ = _ledger.Record(new HistoryRecord
        {
            Time = _time.GetUtcNow(),
            Version = candidate.Version,
            Format = candidate.Document.FormatName,
            Source = request.Origin.Source,
            Actor = request.Origin.Actor,
            Result = HistoryRecord.Rejected,
            DurationMs = _time.GetElapsedTime(start).TotalMilliseconds,
            Detail = ApplyLedger.Summary(candidate.Errors),
        }, _host.Current?.Config.History.Keep ?? int.MaxValue, []);
        return Ended(ApplyOutcome.Rejected, candidate, "apply", request.Origin, start);
    }

    private ApplyResult Noted(ApplyOutcome outcome, Candidate candidate, ApplyRequest request, long start) =>
        request.DryRun ? Result(outcome, candidate, start) : Ended(outcome, candidate, "apply", request.Origin, start);

    private ApplyResult Ended(ApplyOutcome outcome, Candidate candidate, string action, ChangeOrigin origin, long start)
    {
        ApplyResult result = Result(outcome, candidate, start);
        _ledger.Note(action, origin, outcome, candidate.Version, ApplyLedger.Summary(candidate.Errors), result.Duration);
        return result;
    }

    private ApplyResult Result(ApplyOutcome outcome, Candidate candidate, long start) =>
        new(outcome, candidate.Version, Live?.Version, candidate.Errors, candidate.Warnings, _time.GetElapsedTime(start));

    [LoggerMessage(1003, LogLevel.Error, "a change of the configuration failed inside the gateway; what was live stays live")]
    private static partial void LogFault(ILogger logger, Exception exception);
}
