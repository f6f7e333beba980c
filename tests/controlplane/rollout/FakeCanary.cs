using Gateway.Config;
using Gateway.ControlPlane.Rollout;
using Gateway.DataPlane.Runtime;
using Gateway.DataPlane.Server;

namespace Gateway.ControlPlane.Tests.Rollout;

/// <summary>A canary that serves nobody and sees what it is told.</summary>
internal sealed class FakeCanary : ICanary
{
    private DataPlaneHost? _host;
    private GatewaySnapshot? _candidate;

    /// <summary>What the next looks show.</summary>
    public CanaryLook Sees { get; set; } = CanaryLook.Nothing;

    /// <summary>Null when none runs.</summary>
    public double? Share { get; private set; }

    public RolloutPlan? Plan { get; private set; }

    /// <summary>Why the next begin or promotion cannot be.</summary>
    public ConfigError? Fault { get; set; }

    public bool IsBlind { get; set; }

    /// <summary>A defect: the share cannot be changed.</summary>
    public bool IsStuck { get; set; }

    public FakeCanary Over(DataPlaneHost host)
    {
        _host = host;
        return this;
    }

    /// <summary>The candidate has served so many requests, none of them worse.</summary>
    public void Serves(long samples) => Sees = new CanaryLook([new RouteTraffic("r", new VariantTraffic(samples * 100, 0, TimeSpan.FromMilliseconds(5)), new VariantTraffic(samples, 0, TimeSpan.FromMilliseconds(4)))], samples, null);

    /// <summary>Every request of the candidate fails.</summary>
    public void Fails(long samples)
    {
        RouteTraffic route = new("r", new VariantTraffic(samples * 100, 0, null), new VariantTraffic(samples, samples, null));
        Sees = new CanaryLook([route], samples, new RolloutEvidence("r", "errorRate", route.Live, route.Candidate, $"route r: 100% of {samples} candidate requests failed, 0% of {samples * 100} live ones"));
    }

    /// <summary>The next begin warms up until it is cancelled; completed when that is so.</summary>
    public TaskCompletionSource? Warms { get; set; }

    public async Task<IReadOnlyList<ConfigError>> BeginAsync(GatewaySnapshot candidate, RolloutPlan plan, CancellationToken cancellationToken)
    {
        if (Fault is not null) return [Fault];
        if (Warms is { } warms)
        {
            warms.SetResult();
            await Task.Delay(Timeout.Infinite, cancellationToken);
        }
        (_candidate, Plan, Share, Sees) = (candidate, plan, plan.Stages[0].Percent, CanaryLook.Nothing);
        return [];
    }

    public void SetShare(double percent) => Share = IsStuck ? throw new InvalidOperationException("stuck") : percent;

    public CanaryLook Look() => IsBlind ? throw new InvalidOperationException("blind") : Sees;

    public async Task<IReadOnlyList<ConfigError>> PromoteAsync()
    {
        if (Fault is not null) return [Fault];
        Share = null;
        return await _host!.PublishAsync(_candidate!, CancellationToken.None);
    }

    public Task EndAsync()
    {
        Share = null;
        return Task.CompletedTask;
    }
}
