using Gateway.Config;
using Gateway.ControlPlane.Apply;
using Gateway.ControlPlane.Store;
using Gateway.DataPlane.Obs;
using Gateway.DataPlane.Server;
using Microsoft.Extensions.Logging;

namespace Gateway.ControlPlane.Rollout;

/// <summary>How a request for a rollout ended.</summary>
/// <param name="Record">The rollout; null when there is none, which <paramref name="Result"/> explains.</param>
/// <param name="Result"><see cref="ApplyOutcome.RollingOut"/> while it runs.</param>
public sealed record RolloutStart(RolloutRecord? Record, ApplyResult Result);

/// <summary>What someone may do with a rollout.</summary>
public enum RolloutAction
{
    Pause,
    Resume,
    Promote,
    Abort,
}

/// <summary>What came of it.</summary>
/// <param name="Record">The rollout afterwards; null when there is none of that id.</param>
/// <param name="IsEnded">It had ended before, and nothing was done.</param>
/// <param name="Result">Of a promotion that could not be; else null.</param>
public sealed record RolloutAnswer(RolloutRecord? Record, bool IsEnded, ApplyResult? Result);

/// <summary>
/// Takes candidates through their rollouts, one at a time. Each step is a job of the apply queue, which makes this single-threaded and
/// leaves room for a rollback at any moment; in between the canary serves without anything of the control plane. What is true is on the
/// disk before it is told. Thread safe.
/// </summary>
public sealed partial class RolloutDirector : IRolloutInProgress, IAsyncDisposable
{
    /// <summary>The rollout that signed bundles go through.</summary>
    public const string OfBundles = "default";

    /// <summary>How often the counts are read and judged.</summary>
    private static readonly TimeSpan TickEvery = TimeSpan.FromSeconds(1);

    /// <summary>Routes in a record: the busiest.</summary>
    private const int MostRoutes = 50;

    private static readonly ChangeOrigin Itself = new("rollout", "gateway", "");

    private readonly ApplyQueue _queue;
    private readonly ICanary _canary;
    private readonly RolloutStore _store;
    private readonly AuditLog _audit;
    private readonly RolloutMetrics _metrics;
    private readonly TimeProvider _time;
    private readonly ILogger _logger;
    private readonly SemaphoreSlim _begun = new(0);
    private readonly CancellationTokenSource _stop = new();
    private Task _loop = Task.CompletedTask;
    private bool _disposed;

    // The queue's alone; what others may see of it is in _view.
    private Current? _current;
    private View? _view;

    // What was taken back last was made the fleet's in the same moment.
    private bool _overtaken;

    private sealed record Current(ApplyQueue.RolloutCandidate Candidate, RolloutPlan Plan, RolloutRun Run)
    {
        /// <summary>Why the last promotion could not be yet; null for none.</summary>
        public ApplyOutcome? Waits { get; set; }
    }

    private sealed record View(RolloutRecord Record, TimeSpan? Left);

    public RolloutDirector(ApplyQueue queue, DataPlaneHost host, RolloutStore store, AuditLog audit, TimeProvider time, ILoggerFactory loggers)
        : this(queue, new HostCanary(host), store, audit, host.Metrics, time, loggers)
    {
    }

    internal RolloutDirector(ApplyQueue queue, ICanary canary, RolloutStore store, AuditLog audit, GatewayMetrics metrics, TimeProvider time, ILoggerFactory loggers)
    {
        _queue = queue;
        _canary = canary;
        _store = store;
        _audit = audit;
        _metrics = new RolloutMetrics(metrics);
        _time = time;
        _logger = loggers.CreateLogger("gateway.rollout");
        foreach (string note in store.Notes) LogNote(_logger, note);
        queue.Rollout = this;
    }

    /// <summary>Null for a gateway by itself. Set before the first rollout.</summary>
    internal IFleetRollouts? Fleet { get; set; }

    internal RolloutEvents Events { get; } = new();

    /// <summary>Begins to look at what runs, each second.</summary>
    public void Start() => _loop = Task.Run(LoopAsync);

    /// <summary>The rollout that runs now; null for none.</summary>
    public RolloutRecord? Running => Volatile.Read(ref _view) is { Record: { IsEnded: false } record } ? record : null;

    /// <summary>Newest first.</summary>
    public IReadOnlyList<RolloutRecord> All() => [.. _store.All().Select(Latest)];

    /// <summary>The rollout, and how long its stage goes on at least; null for no such one.</summary>
    public (RolloutRecord Record, TimeSpan? Left)? Find(string id)
    {
        if (Volatile.Read(ref _view) is { } view && view.Record.Id == id) return (view.Record, view.Left);
        if (Fleet?.Find(id) is { } ofFleet) return (ofFleet, null);
        return _store.Find(id) is { } record ? (record, null) : null;
    }

    /// <summary>As <see cref="RolloutStore.IsFailed"/>.</summary>
    public bool IsFailed(string versionOrDigest) => _store.IsFailed(versionOrDigest);

    /// <summary>As <see cref="RolloutStore.LastOf"/>.</summary>
    public RolloutRecord? LastOf(string versionOrDigest) => _store.LastOf(versionOrDigest);

    /// <inheritdoc cref="RolloutStore.LastOf(string, long)"/>
    public RolloutRecord? LastOf(string digest, long sequence) => _store.LastOf(digest, sequence);

    /// <summary>Checks the candidate and lets it serve the first share; or says why not.</summary>
    /// <param name="request">Names the rollout.</param>
    /// <param name="cancellationToken">Takes it out of the queue; one that has begun goes on.</param>
    public Task<RolloutStart> StartAsync(ApplyRequest request, CancellationToken cancellationToken) => _queue.ChangeAsync(request, StartOneAsync, cancellationToken);

    /// <summary>Someone's decision about a rollout that runs; in a fleet it is every replica's.</summary>
    public Task<RolloutAnswer> ActAsync(string id, RolloutAction action, ChangeOrigin origin, CancellationToken cancellationToken) =>
        Fleet is { } fleet && fleet.Concerns(id) ? fleet.ActAsync(id, action, origin, cancellationToken) : ActHereAsync(id, action, origin, cancellationToken);

    /// <summary>The same for this replica's part alone.</summary>
    internal Task<RolloutAnswer> ActHereAsync(string id, RolloutAction action, ChangeOrigin origin, CancellationToken cancellationToken) =>
        _queue.StepAsync(() => ActOneAsync(id, action, origin), cancellationToken);

    /// <summary>The fleet has ended the rollout that this one is a part of.</summary>
    internal Task EndPartAsync(string id, string reason, bool retry, CancellationToken cancellationToken) => _queue.StepAsync(async () =>
    {
        if (_current is { } current && _view!.Record.Id == id) _ = await EndAsync(current, RolloutState.Aborted, reason, null, new ChangeOrigin("rollout", "the fleet", ""), retry);
        return true;
    }, cancellationToken);

    /// <summary>The rollout that runs in the fleet, or the last one; null outside a fleet.</summary>
    public RolloutRecord? OfFleet => Fleet?.Last;

    /// <summary>The fleet's rollout of this candidate runs, at whatever replica.</summary>
    public bool IsRollingOut(string versionOrDigest) => Fleet?.Last is { IsEnded: false } last && (last.Version == versionOrDigest || last.Digest == versionOrDigest);

    async Task IRolloutInProgress.YieldAsync(ChangeOrigin origin, string reason, bool isPromotion)
    {
        if (_current is not { } current) return;
        if (isPromotion) await PromotedElsewhereAsync(reason, origin);
        else await EndAsync(current, RolloutState.Aborted, $"the fleet has another version now: {reason}", null, origin, retry: true);
    }

    async Task<bool> IRolloutInProgress.AbortAsync(ChangeOrigin origin, string reason)
    {
        if (_current is not { } current) return true;
        _ = await EndAsync(current, RolloutState.Aborted, reason, null, origin);
        return !_overtaken;
    }

    /// <summary>Takes back what runs, for the process stops; and ends what listens.</summary>
    public async ValueTask DisposeAsync()
    {
        if (Interlocked.Exchange(ref _disposed, true)) return;
        await _stop.CancelAsync();
        await _loop;
        try
        {
            _ = await _queue.StepAsync(async () =>
            {
                if (_current is { } current) await EndAsync(current, RolloutState.Aborted, "the gateway was stopped", null, Itself, retry: true);
                return true;
            }, CancellationToken.None);
        }
        catch (ObjectDisposedException)
        {
            // The queue went first; the next start finds the rollout open and ends it.
        }
        Events.Close();
        _stop.Dispose();
        _begun.Dispose();
    }

    /// <summary>One look at what runs.</summary>
    internal Task TickAsync() => _queue.StepAsync(TickOneAsync, CancellationToken.None);

    private async Task LoopAsync()
    {
        try
        {
            while (true)
            {
                await _begun.WaitAsync(_stop.Token);
                using PeriodicTimer timer = new(TickEvery, _time);
                while (Running is not null && await timer.WaitForNextTickAsync(_stop.Token)) await WatchAsync();
            }
        }
        catch (Exception e) when (e is OperationCanceledException or ObjectDisposedException)
        {
            // The end.
        }
    }

    // A look that fails has taken the candidate back; should even that have failed, the next one tries again.
    private async Task WatchAsync()
    {
        try
        {
            await TickAsync();
        }
        catch (Exception e) when (e is not OperationCanceledException and not ObjectDisposedException)
        {
            LogFault(_logger, e);
        }
    }

    private RolloutRecord Latest(RolloutRecord stored) => Volatile.Read(ref _view) is { } view && view.Record.Id == stored.Id ? view.Record : stored;

    private TimeSpan Now => _time.GetElapsedTime(0);
}
