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
/// Last writer wins: an apply over the admin API replaces what the file brought, and the next change of the file's content replaces that,
/// unless one of them is to be laid over the other (see <see cref="Layers.LayerSet"/>).
/// </para>
/// <para>
/// What is durable when: the document is on the disk before the publish, its record and the last-good pointer after it, and only then is
/// the client answered. A process that dies in between has published something that nobody was told of; after the restart the history does
/// not claim it.
/// </para>
/// </summary>
public sealed partial class ApplyQueue : IAsyncDisposable
{
    private readonly Channel<Func<Task>> _jobs = Channel.CreateUnbounded<Func<Task>>(new UnboundedChannelOptions { SingleReader = true });
    private readonly DataPlaneHost _host;
    private readonly ConfigStore _store;
    private readonly CandidateSteps _steps;
    private readonly ApplyLedger _ledger;
    private readonly SideListener _sideListener;
    private readonly TimeProvider _time;
    private readonly ILogger _logger;
    private readonly Task _worker;
    private readonly SemaphoreSlim _validating = new(1);
    private readonly KeptSnapshots _kept = new();
    private LiveConfiguration? _live;

    // Cancelled by a rollback, which puts another in its place: changes that came before it are not to be live after it, nor to hold it up.
    private CancellationTokenSource _earlier = new();
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

    /// <summary>
    /// Applies what came in verified bundles only; a dry run changes nothing and may be unsigned, and what was applied once may be gone back
    /// to. The file serves for the first start: once a bundle was applied, what it brought stays live over restarts.
    /// </summary>
    public bool SignedOnly { get; init; }

    /// <summary>Null before the first publish.</summary>
    public LiveConfiguration? Live => Volatile.Read(ref _live);

    /// <summary>Raised by the queue after each publish, before whoever asked is answered.</summary>
    public event Action? Published;

    /// <summary>Digest of the configuration file's content as it was last dealt with; goes into every record.</summary>
    public string? FileDigest
    {
        get => Volatile.Read(ref _fileDigest);
        private set => Volatile.Write(ref _fileDigest, value);
    }

    /// <param name="cancellationToken">Takes the change out of the queue; one that has begun is finished.</param>
    public Task<ApplyResult> ApplyAsync(ApplyRequest request, CancellationToken cancellationToken) =>
        ChangeAsync(request, ApplyOneAsync, cancellationToken);

    /// <summary>
    /// Goes back to a version that was applied, or (null) to the one before the live one. No gate: neither If-Match nor pressure holds it up,
    /// nor what came before it and is not live yet, which is given up in its favour (<see cref="ApplyOutcome.Overtaken"/>).
    /// </summary>
    public async Task<ApplyResult> RollbackAsync(string? version, ChangeOrigin origin, CancellationToken cancellationToken)
    {
        long asked = _time.GetTimestamp();
        // What comes of nothing takes nothing away.
        if (version is not null && RollbackTarget.Find(_store.History(), version, null, 0) is null)
            return await EnqueueAsync(() => RollbackOneAsync(version, origin, asked, default), cancellationToken);
        CancellationTokenSource earlier = Interlocked.Exchange(ref _earlier, new CancellationTokenSource());
        Task<ApplyResult> rollback = EnqueueAsync(() => RollbackOneAsync(version, origin, asked, earlier.Token), cancellationToken);
        await earlier.CancelAsync();
        return await rollback;
    }

    /// <summary>A job that gives way to a rollback that comes before it is live.</summary>
    internal Task<T> ChangeAsync<T>(ApplyRequest request, Func<ApplyRequest, Task<T>> change, CancellationToken cancellationToken)
    {
        if (request is { Fleet: null, FleetRollout: null }) request = request with { Overtaken = Volatile.Read(ref _earlier).Token };
        return EnqueueAsync(() => change(request), cancellationToken);
    }

    /// <summary>The first configuration of this process; the file, unless something was applied over it before the restart and it has not changed since.</summary>
    public Task<StartResult> StartAsync(ConfigDocument? file, ConfigError? fileError, ChangeOrigin origin, bool lastGood) =>
        EnqueueAsync(() => StartOneAsync(file, fileError, origin, lastGood), CancellationToken.None);

    /// <summary>Every step but the publish. Does not wait for applies, and holds none up; one validation at a time, as each may need much memory.</summary>
    public async Task<ApplyResult> ValidateAsync(ConfigDocument document, CancellationToken cancellationToken)
    {
        long start = _time.GetTimestamp();
        Candidate candidate = await AloneAsync(document, (candidate, source) => _steps.CompileAndCheck(candidate, source), cancellationToken);
        return Result(candidate.IsBroken ? ApplyOutcome.Rejected : ApplyOutcome.Valid, candidate, start);
    }

    /// <summary>A snapshot to look at, never to publish; or why there is none. Waits as <see cref="ValidateAsync"/> does.</summary>
    internal Task<Candidate> CompileAsync(ConfigDocument document, CancellationToken cancellationToken) => AloneAsync(document, _steps.Compile, cancellationToken);

    /// <summary>Runs a comparison of candidates, which may take seconds of a processor, as <see cref="ValidateAsync"/> runs.</summary>
    internal Task<T> CompareAsync<T>(Func<T> comparison, CancellationToken cancellationToken) =>
        AloneAsync(() => Task.Factory.StartNew(comparison, CancellationToken.None, TaskCreationOptions.LongRunning, TaskScheduler.Default), cancellationToken);

    private Task<Candidate> AloneAsync(ConfigDocument document, Func<Candidate, string, Candidate> step, CancellationToken cancellationToken) =>
        AloneAsync(() => OnAThreadOfItsOwn(document, () => step(ReadLayered(document), "admin")), cancellationToken);

    private async Task<T> AloneAsync<T>(Func<Task<T>> work, CancellationToken cancellationToken)
    {
        await _validating.WaitAsync(cancellationToken);
        try
        {
            return await work();
        }
        finally
        {
            _validating.Release();
        }
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

    [LoggerMessage(1003, LogLevel.Error, "a change of the configuration failed inside the gateway; what was live stays live")]
    private static partial void LogFault(ILogger logger, Exception exception);
}
