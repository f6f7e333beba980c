using Gateway.Config;
using Gateway.Core.Rollout;
using Gateway.DataPlane.Runtime;

namespace Gateway.DataPlane.Server;

/// <summary>A candidate beside the live snapshot: it serves a share of the requests until it is promoted, or ended.</summary>
public sealed partial class DataPlaneHost
{
    private static readonly TimeSpan ProbeLook = TimeSpan.FromMilliseconds(50);

    private readonly Lock _ending = new();
    private readonly VariantMetrics _variants;
    private ushort _trials;
    private CanaryRun? _promoting;
    private Task _tidying = Task.CompletedTask;

    /// <summary>
    /// Lets a candidate serve a share of the requests beside the live snapshot. It is compiled once more, with breakers, retry budgets and
    /// limiters of its own for its routes, and endpoints of their own for the pools that it changes; it is warmed (discovery and first
    /// probes, for 3 s each at most) and then serves. Listeners that it adds or takes connections differently on (address, TLS, PROXY
    /// protocol, HTTP/2) are tried to bind, and serve from the live snapshot until it is promoted, as do those that it removes; what is of
    /// the whole document (access log, metrics, recording, overload) waits for that too. Errors: nothing has changed.
    /// </summary>
    /// <exception cref="InvalidOperationException">Nothing is live, or a canary runs.</exception>
    /// <exception cref="ArgumentException">The plan's share or key is none.</exception>
    public async Task<IReadOnlyList<ConfigError>> BeginCanaryAsync(GatewaySnapshot candidate, CanaryPlan plan, CancellationToken cancellationToken)
    {
        int units = UnitsOf(plan.Percent);
        if (plan.Key is { } key && !CanaryPlan.Serves(key)) throw new ArgumentException($"{key.Kind} tells requests apart, not clients.", nameof(plan));
        await _applying.WaitAsync(cancellationToken);
        try
        {
            ObjectDisposedException.ThrowIf(_stopping is not null, this);
            GatewaySnapshot live = _store.Current ?? throw new InvalidOperationException("Nothing is live to try a candidate beside.");
            if (_store.Serving!.Canary is not null) throw new InvalidOperationException("A candidate is being tried; end it first.");
            (GatewaySnapshot? trial, IReadOnlyList<ConfigError> errors) = Adopt(candidate, live, new CanaryStates(NextTrial(), live));
            if (trial is null) return errors;
            try
            {
                (ListenerPlan? listeners, errors) = await _listeners.PrepareAsync(trial.Listeners, cancellationToken);
                if (listeners is null)
                {
                    _registry.Release(trial);
                    return errors;
                }
                await listeners.AbandonAsync();
                await WarmAsync(trial, cancellationToken);
                await _health.FollowAsync(live, trial);
                await ProbedAsync(trial, cancellationToken);
            }
            catch
            {
                await _health.FollowAsync(live);
                _registry.Release(trial);
                throw;
            }
            CanaryCounts counts = new(live.Routes, trial.Routes, _time);
            _store.BeginCanary(new CanaryRun(trial, ListenersOf(trial, live), plan.Key, plan.Salt ?? trial.Version, counts) { StartedAt = _time.GetTimestamp() }, units);
            _variants.Begin(counts);
            ServerLog.CanaryBegun(_logger, trial.Version, live.Version, plan.Percent);
            return [];
        }
        finally
        {
            _applying.Release();
        }
    }

    /// <summary>The candidate that serves a share of the requests; null while none does.</summary>
    public GatewaySnapshot? Candidate => _store.Serving?.Canary?.Candidate;

    /// <summary>Changes the canary's share with one write. Who was served by it when it had less still is when it has more.</summary>
    /// <param name="percent">0 to 100, exact to 1/100.</param>
    /// <exception cref="InvalidOperationException">No canary runs.</exception>
    public void SetCanaryShare(double percent)
    {
        if (!_store.SetShare(UnitsOf(percent))) throw new InvalidOperationException("No candidate is being tried.");
    }

    /// <summary>
    /// Makes the canary's configuration current, for all requests and with one write, as <see cref="PublishAsync"/> does: under the states
    /// of the live one, so <see cref="Current"/> is another object with its version. Errors: it goes on as it was.
    /// </summary>
    /// <exception cref="InvalidOperationException">No canary runs, or it was ended meanwhile: it has not become current.</exception>
    public async Task<IReadOnlyList<ConfigError>> PromoteCanaryAsync(CancellationToken cancellationToken)
    {
        await _applying.WaitAsync(cancellationToken);
        try
        {
            ObjectDisposedException.ThrowIf(_stopping is not null, this);
            CanaryRun run = _store.Serving?.Canary ?? throw new InvalidOperationException("No candidate is being tried.");
            (GatewaySnapshot? candidate, IReadOnlyList<ConfigError> errors) = Adopt(run.Candidate, _store.Current!, null);
            if (candidate is null) return errors;
            ListenerPlan? plan = null;
            try
            {
                (plan, errors) = await _listeners.PrepareAsync(candidate.Listeners, cancellationToken);
                if (plan is not null && !TryClaim(run)) throw new InvalidOperationException("The candidate was ended while it was being promoted.");
            }
            catch
            {
                if (plan is not null) await plan.AbandonAsync();
                _registry.Release(candidate);
                throw;
            }
            if (plan is null)
            {
                _registry.Release(candidate);
                return errors;
            }
            await SwitchAsync(candidate, plan);
            return [];
        }
        finally
        {
            _applying.Release();
        }
    }

    /// <summary>
    /// No new request is bound to the candidate from the moment of the call on, whatever else is under way. False: none runs, or it is
    /// becoming current this moment.
    /// </summary>
    public Task<bool> EndCanaryAsync()
    {
        lock (_ending)
        {
            if (_promoting is not null && ReferenceEquals(_promoting, _store.Serving?.Canary)) return Task.FromResult(false);
            if (_store.EndCanary() is not { } run) return Task.FromResult(false);
            ServerLog.CanaryEnded(_logger, run.Candidate.Version);
            if (_stopping is null) _tidying = Task.WhenAll(_tidying, TidyAsync());
        }
        return Task.FromResult(true);
    }

    /// <summary>
    /// What the canary and the live snapshot beside it have come to since it began; null while none runs. Costs some microseconds for each
    /// route with traffic.
    /// </summary>
    public CanaryReading? ReadCanary()
    {
        if (_store.Serving is not { Canary: { } run } serving) return null;
        (RouteCounts all, List<RouteCounts> routes) = run.Counts.Read();
        return new CanaryReading(run.Candidate.Version, serving.Units * 100.0 / CanaryRun.Units, _time.GetElapsedTime(run.StartedAt), all, routes);
    }

    // 0 is the live snapshot's.
    private ushort NextTrial() => _trials = _trials == ushort.MaxValue ? (ushort)1 : (ushort)(_trials + 1);

    private static int UnitsOf(double percent) => percent is >= 0 and <= 100
        ? (int)Math.Round(percent * CanaryRun.Units / 100)
        : throw new ArgumentOutOfRangeException(nameof(percent), percent, "A share is from 0 to 100 percent.");

    // Listeners whose connections the candidate would have taken as they are: its client certificates must have been asked for.
    private static ListenerModel?[] ListenersOf(GatewaySnapshot trial, GatewaySnapshot live)
    {
        ListenerModel?[] listeners = [.. trial.ListenersBySlot];
        for (int i = 0; i < listeners.Length; i++)
        {
            ListenerModel? running = i < live.ListenersBySlot.Length ? live.ListenersBySlot[i] : null;
            if (listeners[i] is { } own && (running is null || !ConfigDifference.SameConnections(running.Config, own.Config))) listeners[i] = null;
        }
        return listeners;
    }

    // Compiled and adopted: what was found live in the compile may be gone by then.
    private (GatewaySnapshot? Snapshot, IReadOnlyList<ConfigError> Errors) Adopt(GatewaySnapshot candidate, GatewaySnapshot live, CanaryStates? states)
    {
        while (true)
        {
            CompileResult compiled = _compiler.Compile(candidate.Config, candidate.Version, candidate.Source, live, states);
            if (compiled.Snapshot is null) return (null, compiled.Errors);
            if (_registry.TryAdopt(compiled.Snapshot)) return (compiled.Snapshot, []);
        }
    }

    private async Task ProbedAsync(GatewaySnapshot trial, CancellationToken cancellationToken)
    {
        long since = _time.GetTimestamp();
        while (_time.GetElapsedTime(since) < LongestWarming && Array.Exists(trial.Pools, IsUnprobed)) await Task.Delay(ProbeLook, _time, cancellationToken);
    }

    private static bool IsUnprobed(PoolModel pool) =>
        pool.State.Trial != 0 && Array.Exists(pool.Current.Endpoints, static endpoint => endpoint.State.Health.Faults.HasFlag(EndpointFaults.Unprobed));

    private bool TryClaim(CanaryRun run)
    {
        lock (_ending)
        {
            if (!ReferenceEquals(_store.Serving?.Canary, run)) return false;
            _promoting = run;
            return true;
        }
    }

    // Probes of the candidate's own endpoints end after the next change, not before the call returns: an end must not wait for anything.
    private async Task TidyAsync()
    {
        await Task.Yield();
        await _applying.WaitAsync();
        try
        {
            if (_stopping is null && _store.Serving is { Canary: null } serving) await _health.FollowAsync(serving.Live);
        }
        finally
        {
            _applying.Release();
        }
    }
}
