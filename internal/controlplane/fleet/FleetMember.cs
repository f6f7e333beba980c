using System.Data.Common;
using System.Net.Sockets;
using Gateway.Config;
using Gateway.ControlPlane.Apply;
using Gateway.ControlPlane.Rollout;
using Gateway.ControlPlane.Store;
using Microsoft.Extensions.Logging;
using Npgsql;

namespace Gateway.ControlPlane.Fleet;

/// <summary>
/// This gateway as a replica of a fleet. The shared store says what every replica is to serve; each hears of a change by a notification of
/// the database and, as a safety net, by asking each second, applies it through its own queue, and says how that went. What a replica
/// serves is always in its own store too: while the database is away it goes on with that, also over a restart, and catches up when the
/// database is back. Thread safe.
/// </summary>
public sealed partial class FleetMember : IChangeSharing, IAsyncDisposable
{
    private static readonly TimeSpan Poll = TimeSpan.FromSeconds(1);
    private static readonly TimeSpan FirstBackoff = TimeSpan.FromMilliseconds(250), LongestBackoff = TimeSpan.FromSeconds(10);

    /// <summary>What could not be applied here may become possible without another change: a port that comes free, a certificate that comes.</summary>
    private static readonly TimeSpan RetryFailed = TimeSpan.FromSeconds(15);

    private readonly FleetOptions _options;
    private readonly ApplyQueue _queue;
    private readonly ConfigStore _configs;
    private readonly TimeProvider _time;
    private readonly ILogger _logger;
    private readonly NpgsqlDataSource _database;
    private readonly FleetStore _store;
    private readonly FleetAudit _audit;
    private readonly FleetSignatures _signatures;
    private readonly Guid _instance = Guid.NewGuid();
    private readonly DateTimeOffset _startedAt;
    private readonly Random _jitter = new();
    private readonly CancellationTokenSource _stop = new();
    private readonly TaskCompletionSource _firstStep = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private Task _loop = Task.CompletedTask;
    private FleetStatus _status;
    private string _address = "";
    private (long Sequence, string Error, long At, bool IsFinal)? _failed;
    private bool _beaten;
    private FleetRollouts? _rollouts;

    /// <param name="verifier">Of what other replicas bring; null where nobody need sign.</param>
    public FleetMember(FleetOptions options, ApplyQueue queue, ConfigStore configs, AuditLog audit, Gateway.Bundle.BundleVerifier? verifier, Gateway.DataPlane.Obs.GatewayMetrics metrics, TimeProvider time, ILoggerFactory loggers)
    {
        _options = options;
        _queue = queue;
        _configs = configs;
        _time = time;
        _logger = loggers.CreateLogger("gateway.fleet");
        _database = NpgsqlDataSource.Create(options.Connection);
        _store = new FleetStore(options.Schema);
        _audit = new FleetAudit(audit, options.Replica);
        _signatures = new FleetSignatures(verifier, configs);
        _startedAt = time.GetUtcNow();
        _status = new FleetStatus(options.Replica, options.Shown, false, null, "not reached yet", null, []);
        metrics.ObserveGauge("fleet_connected", "1 while the fleet's database answers, else 0.", () => Status.Connected ? 1 : 0);
        metrics.ObserveGauge("fleet_replicas", "Replicas of the fleet that were seen in the last ten seconds, this one included, as far as is known here.", () => Status.Replicas.Count(static r => !r.IsAway));
    }

    /// <summary>As this replica last saw it.</summary>
    public FleetStatus Status => Volatile.Read(ref _status);

    internal long LiveSequence => _queue.Live?.FleetSequence ?? 0;

    internal bool HasLive => _queue.Live is not null;

    /// <summary>A rollout's request, as far as it may be believed here.</summary>
    internal ApplyRequest Verified(ApplyRequest request, byte[] envelope) => _signatures.Verified(request, envelope);

    /// <summary>Rollouts go through all replicas from now on. Called before <see cref="Start"/>.</summary>
    public void Attach(RolloutDirector director)
    {
        _rollouts = new FleetRollouts(this, _store, director, _database, _options.Replica, _time, _logger);
        director.Fleet = _rollouts;
    }

    /// <summary>Begins to follow the fleet, after the first publish.</summary>
    /// <param name="address">Of the admin API, for people; empty for none.</param>
    public void Start(string address)
    {
        _address = address;
        _loop = Task.Run(LoopAsync);
    }

    /// <summary>Completes when this replica has done what the fleet wanted when it came, or the patience is over.</summary>
    public Task CaughtUpAsync(TimeSpan patience) => Task.WhenAny(_firstStep.Task, Task.Delay(patience, _time));

    /// <summary>The fleet's changes, newest first.</summary>
    /// <exception cref="DbException">The database is away.</exception>
    public async Task<IReadOnlyList<FleetChange>> ChangesAsync(int limit, CancellationToken cancellationToken)
    {
        await using NpgsqlConnection connection = await _database.OpenConnectionAsync(cancellationToken);
        return await _store.ChangesAsync(connection, limit, cancellationToken);
    }

    /// <summary>The fleet's audit log, newest first.</summary>
    /// <exception cref="DbException">The database is away.</exception>
    public async Task<IReadOnlyList<(string Replica, AuditEntry Entry)>> AuditAsync(int limit, CancellationToken cancellationToken)
    {
        await using NpgsqlConnection connection = await _database.OpenConnectionAsync(cancellationToken);
        return await _store.AuditAsync(connection, limit, cancellationToken);
    }

    public async ValueTask DisposeAsync()
    {
        if (_stop.IsCancellationRequested) return;
        await _stop.CancelAsync();
        await _loop;
        await _database.DisposeAsync();
        _stop.Dispose();
    }

    private async Task LoopAsync()
    {
        TimeSpan backoff = FirstBackoff;
        while (!_stop.IsCancellationRequested)
        {
            try
            {
                await using NpgsqlConnection connection = await _database.OpenConnectionAsync(_stop.Token);
                await _store.EnsureAsync(connection, _stop.Token);
                await using (NpgsqlCommand listen = new($"LISTEN {_store.Channel}", connection)) _ = await listen.ExecuteNonQueryAsync(_stop.Token);
                Volatile.Write(ref _status, Status with { Connected = true, Error = null });
                _rollouts?.Connected();
                LogConnected(_logger, _options.Shown, _options.Replica);
                await FollowAsync(connection, () => backoff = FirstBackoff);
            }
            catch (OperationCanceledException) when (_stop.IsCancellationRequested)
            {
                break;
            }
            catch (Exception e)
            {
                Lost(e);
                await DelayAsync(backoff);
                backoff = TimeSpan.FromTicks(Math.Min(backoff.Ticks * 2, LongestBackoff.Ticks));
            }
        }
        await LeaveAsync();
    }

    private async Task FollowAsync(NpgsqlConnection connection, Action works)
    {
        while (true)
        {
            await StepAsync(connection);
            works();
            _ = await connection.WaitAsync(Jittered(Poll), _stop.Token);
        }
    }

    // One look: what the fleet wants is applied, what it lacks is given to it, and what this replica does is told.
    private async Task StepAsync(NpgsqlConnection connection)
    {
        FleetChange? head = await _store.HeadAsync(connection, _stop.Token);
        string? error = await FollowAsync(connection, head);
        // Null: it was started without a configuration, and the fleet has none yet.
        LiveConfiguration? live = _queue.Live;
        head = await _store.HeadAsync(connection, _stop.Token);
        string state = error is not null ? "failed" : live is null ? "waiting" : live.FleetSequence is null ? "pending" : live.FleetSequence == head?.Sequence ? "serving" : "behind";
        ReplicaStatus self = new(_options.Replica, _address, live?.Version ?? "", live?.FleetSequence, live?.AppliedAt ?? _startedAt, state, error, _startedAt, default, default);
        bool alone = await _store.BeatAsync(connection, _instance, self, !_beaten, _stop.Token);
        if (!alone) LogSameName(_logger, _options.Replica);
        _beaten = true;
        await _audit.FlushAsync(entries => _store.AuditAsync(connection, _options.Replica, entries, _stop.Token));
        IReadOnlyList<ReplicaStatus> replicas = await _store.ReplicasAsync(connection, _stop.Token);
        FleetRolloutStatus? rollout = _rollouts is null ? null : await _rollouts.StepAsync(connection, replicas, _stop.Token);
        if (!alone) error ??= $"another gateway calls itself '{_options.Replica}' too; give each its own --replica";
        Volatile.Write(ref _status, new FleetStatus(_options.Replica, _options.Shown, true, _time.GetUtcNow(), error, head, replicas) { Rollout = rollout });
        _ = _firstStep.TrySetResult();
    }

    /// <summary>Null when this replica serves what the fleet wants, or why it does not.</summary>
    private async Task<string?> FollowAsync(NpgsqlConnection connection, FleetChange? head)
    {
        LiveConfiguration? live = _queue.Live;
        long wanted = head?.Sequence ?? 0;
        if (live?.FleetSequence == wanted) return Settled();
        // The first replica's version is a new fleet's first. And what was gone back to here while the database was away is the fleet's
        // now, if nobody has changed the fleet since; else the fleet's change came later here, and wins.
        if (live is { FleetSequence: null } && (wanted == 0 || (live.Origin.Source is not "file" and not "last-good" && wanted == LastKnown() && !await WasTakenBackAsync(connection, live))))
        {
            Sharing shared = await _queue.ShareLiveAsync(wanted);
            if (shared.Result == SharingResult.Shared) LogShared(_logger, live.Version, shared.Sequence);
            // Somebody was faster: the notification of that comes at once.
            return Settled();
        }
        if (head is null || live?.FleetSequence > wanted) return Settled();
        if (_failed is { } before && before.Sequence == wanted && (before.IsFinal || _time.GetElapsedTime(before.At) < RetryFailed)) return before.Error;
        (byte[] content, byte[] envelope) = await _store.DocumentAsync(connection, head, _stop.Token);
        ConfigDocument document = new(content, head.Format == "yaml" ? DocumentFormat.Yaml : DocumentFormat.Json);
        FleetStamp stamp = _signatures.Stamp(head, document, envelope, $"change {head.Sequence} of the fleet: {head.Source} by {head.Actor} at {head.Replica}{(head.Detail is null ? "" : $", {head.Detail}")}");
        ApplyResult result = await _queue.ApplyAsync(new ApplyRequest(document, new ChangeOrigin("fleet", head.Actor, head.Replica)) { Fleet = stamp }, _stop.Token);
        if (result.IsGood || _queue.Live?.FleetSequence >= wanted) return Settled();
        string error = ApplyLedger.Summary(result.Errors) ?? result.ResultName;
        if (_failed?.Error != error) LogFailed(_logger, head.Sequence, error);
        // Too many snapshots in use is over in a moment; anything else is tried again now and then, but for a signature that does not hold.
        if (result.Outcome != ApplyOutcome.Pressure) _failed = (wanted, error, _time.GetTimestamp(), result.Outcome == ApplyOutcome.Unsigned);
        return error;
    }

    // A promotion whose commit was not answered, and did not come to pass: the fleet may have ended that rollout otherwise since.
    private async Task<bool> WasTakenBackAsync(NpgsqlConnection connection, LiveConfiguration live) =>
        live.Origin.Source != "rollback" && await _store.LastRolloutOfAsync(connection, live.Digest, _stop.Token) is { State: not "promoted" and not "running" };

    // The last change of the fleet that was live here.
    private long? LastKnown() => Array.FindLast(_configs.History(), static r => r.FleetSequence is not null)?.FleetSequence;

    private string? Settled()
    {
        _failed = null;
        return null;
    }

    private void Lost(Exception e)
    {
        string why = e is DbException or SocketException or IOException or TimeoutException or FleetException ? Reason(e) : $"a defect of the gateway: {e.Message}";
        FleetStatus before = Status;
        if (before.Connected || before.Error != why) LogLost(_logger, _options.Shown, why);
        if (e is not (DbException or SocketException or IOException or TimeoutException or FleetException)) LogFault(_logger, e);
        Volatile.Write(ref _status, before with { Connected = false, Error = why });
    }

    internal static string Reason(Exception e) => (e.InnerException is SocketException inner ? inner.Message : e.Message).Split('\n')[0];

    private TimeSpan Jittered(TimeSpan time) => time * (0.8 + (0.4 * _jitter.NextDouble()));

    private async Task DelayAsync(TimeSpan time)
    {
        try
        {
            await Task.Delay(Jittered(time), _time, _stop.Token);
        }
        catch (OperationCanceledException)
        {
            // The end.
        }
    }

    // So that it is not taken for one that has died; when that cannot be said, it will be.
    private async Task LeaveAsync()
    {
        if (!Status.Connected) return;
        try
        {
            using CancellationTokenSource patience = new(TimeSpan.FromSeconds(1), _time);
            await using NpgsqlConnection connection = await _database.OpenConnectionAsync(patience.Token);
            await _audit.FlushAsync(entries => _store.AuditAsync(connection, _options.Replica, entries, patience.Token));
            await _store.LeaveAsync(connection, _options.Replica, _instance, patience.Token);
        }
        catch (Exception e) when (e is DbException or SocketException or IOException or TimeoutException or OperationCanceledException)
        {
            LogLost(_logger, _options.Shown, Reason(e));
        }
    }

    [LoggerMessage(1600, LogLevel.Information, "in the fleet at {Database} as replica {Replica}")]
    private static partial void LogConnected(ILogger logger, string database, string replica);

    [LoggerMessage(1601, LogLevel.Warning, "the fleet's database at {Database} cannot be reached; what is live stays live: {Reason}")]
    private static partial void LogLost(ILogger logger, string database, string reason);

    [LoggerMessage(1602, LogLevel.Error, "change {Sequence} of the fleet cannot be applied here; what was live stays live: {Reason}")]
    private static partial void LogFailed(ILogger logger, long sequence, string reason);

    [LoggerMessage(1603, LogLevel.Information, "version {Version}, live here, is the fleet's change {Sequence} now")]
    private static partial void LogShared(ILogger logger, string version, long sequence);

    [LoggerMessage(1604, LogLevel.Error, "another gateway calls itself replica {Replica} too; give each its own --replica")]
    private static partial void LogSameName(ILogger logger, string replica);

    [LoggerMessage(1605, LogLevel.Error, "following the fleet failed inside the gateway; it is tried again")]
    private static partial void LogFault(ILogger logger, Exception exception);
}
