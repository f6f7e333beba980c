using Gateway.DataPlane.Runtime;
using Gateway.DataPlane.Transport;

namespace Gateway.DataPlane.Health;

/// <summary>Probes one endpoint until it is stopped, on the thread pool.</summary>
internal sealed class Prober
{
    // A tenth of the interval more or less, so that the probes of many gateways do not fall together.
    private const double Jitter = 0.1;

    // The first probes of a large pool come over this time, or a tenth of the interval when that is shorter.
    private static readonly TimeSpan LongestStart = TimeSpan.FromMilliseconds(100);

    private readonly CancellationTokenSource _stop = new();
    private readonly Probe _probe;
    private readonly TimeProvider _time;
    private readonly Random _random;
    private readonly Action<Prober, ProbeResult> _report;
    private Task _running = Task.CompletedTask;

    /// <param name="endpoint">Whom it probes.</param>
    /// <param name="plan">How.</param>
    /// <param name="settings">Where it is, and how to connect there.</param>
    /// <param name="time">The clock.</param>
    /// <param name="random">Not used by anybody else.</param>
    /// <param name="report">Called after each probe, one at a time.</param>
    public Prober(EndpointState endpoint, ProbePlan plan, UpstreamSettings settings, TimeProvider time, Random random, Action<Prober, ProbeResult> report)
    {
        (Endpoint, Plan, Settings, _time, _random, _report) = (endpoint, plan, settings, time, random, report);
        EndpointFaults faults = endpoint.Health.Faults;
        bool? known = endpoint.Health.LastProbe is null ? null : (faults & EndpointFaults.ProbeFailed) == 0;
        Streak = new ProbeStreak(plan.UnhealthyAfter, plan.HealthyAfter, known);
        _probe = Probe.Create(plan, settings);
    }

    public EndpointState Endpoint { get; }

    public ProbePlan Plan { get; }

    public UpstreamSettings Settings { get; }

    /// <summary>Touched in the report alone.</summary>
    public ProbeStreak Streak { get; }

    /// <summary>What a probe is, for a person.</summary>
    public string Name => _probe.Name;

    public void Start() => _running = Task.Run(RunAsync);

    /// <summary>Ends it; the task ends when nothing of it runs any more.</summary>
    public async Task StopAsync()
    {
        await _stop.CancelAsync();
        await _running;
        _probe.Dispose();
        _stop.Dispose();
    }

    private async Task RunAsync()
    {
        try
        {
            TimeSpan spread = Plan.Interval * Jitter;
            await Task.Delay((spread < LongestStart ? spread : LongestStart) * _random.NextDouble(), _time, _stop.Token);
            while (true)
            {
                long began = _time.GetTimestamp();
                ProbeResult result = await AskAsync();
                _stop.Token.ThrowIfCancellationRequested();
                _report(this, result);
                TimeSpan pause = (Plan.Interval * (1 - Jitter + (2 * Jitter * _random.NextDouble()))) - _time.GetElapsedTime(began);
                if (pause > TimeSpan.Zero) await Task.Delay(pause, _time, _stop.Token);
            }
        }
        catch (Exception) when (_stop.IsCancellationRequested)
        {
            // Stopped; what a client throws then is of no interest.
        }
    }

    private async Task<ProbeResult> AskAsync()
    {
        using var timeout = new CancellationTokenSource(Plan.Timeout, _time);
        using var either = CancellationTokenSource.CreateLinkedTokenSource(timeout.Token, _stop.Token);
        try
        {
            return await _probe.AskAsync(either.Token);
        }
        catch (Exception) when (timeout.IsCancellationRequested)
        {
            return ProbeResult.Bad("timeout", $"no answer within {Gateway.Config.DurationText.Format(Plan.Timeout)}");
        }
        catch (Exception failure) when (!_stop.IsCancellationRequested)
        {
            // Whatever an endpoint makes a client throw says that it is not well.
            return Probe.Failed(failure);
        }
    }
}
