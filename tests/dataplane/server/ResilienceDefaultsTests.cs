using System.Text;
using Gateway.Config;
using Gateway.Core.Breaker;
using Gateway.Core.Limits;
using Gateway.Core.Outlier;
using Gateway.Core.Pool;
using Gateway.Core.Retry;
using Gateway.DataPlane.Runtime;
using Gateway.DataPlane.Server;
using Xunit;

namespace Gateway.DataPlane.Tests.Server;

/// <summary>What a document leaves out arrives at each mechanism as what is written down; how they behave at those values is their own tests'.</summary>
public sealed class ResilienceDefaultsTests
{
    private const string Document = """
        { "version": "v1", "listeners": [ { "name": "web", "address": "127.0.0.1:0" } ],
          "routes": [ { "name": "r", "pool": "p", "hedge": {}, "overload": {} } ],
          "pools": {
            "p": { "endpoints": [ { "address": "127.0.0.1:1" } ], "breaker": {}, "outlier": {}, "health": { "active": {} } },
            "hash": { "endpoints": [], "loadBalancing": "maglev" } } }
        """;

    [Fact]
    public async Task EveryDefault_IsTheOneThatIsWrittenDown()
    {
        GatewayConfig config = ConfigReader.ReadJson(Encoding.UTF8.GetBytes(Document)).Config!;
        await using RunningHost running = new();
        GatewaySnapshot snapshot = running.Host.Compile(config, "v", "test").Snapshot!;
        RouteModel route = snapshot.Routes[0];
        PoolModel pool = snapshot.Pools.Single(static p => p.Name == "p"), hash = snapshot.Pools.Single(static p => p.Name == "hash");

        // Balancing.
        Assert.Equal(new EndpointPlan(new Balancing(BalancerKind.LeastRequests), 50, Queue: new QueueSettings(128, TimeSpan.FromMilliseconds(200))), pool.Plan);
        Assert.Equal((new Balancing(BalancerKind.Maglev, 1.25), RequestKey.Ip), (hash.Plan.Balancing, hash.Plan.HashKey));
        Assert.Equal(10, EndpointState.LeastRamp);

        // Health and outliers.
        ProbePlan probe = pool.Health.Probe!;
        Assert.Equal((ProbeKind.Http, "/", TimeSpan.FromSeconds(5), TimeSpan.FromSeconds(1), 3, 2), (probe.Kind, probe.Path, probe.Interval, probe.Timeout, probe.UnhealthyAfter, probe.HealthyAfter));
        Assert.Equal(new PassiveSettings(3, TimeSpan.FromSeconds(10)), pool.Health.Passive);
        Assert.Equal(
            new OutlierSettings
            {
                ConsecutiveFailures = 5,
                FailurePercent = 50,
                MinRequests = 20,
                Window = TimeSpan.FromSeconds(30),
                BaseEjection = TimeSpan.FromSeconds(30),
                MaxEjection = TimeSpan.FromMinutes(5),
                MaxEjectedPercent = 10,
                LatencyMultiplier = 3,
                LatencyIntervals = 3,
                Interval = TimeSpan.FromSeconds(10),
                LatencyMinSamples = 50,
            },
            pool.Health.Outlier);

        // The breaker.
        Assert.Equal(
            new BreakerSettings { FailurePercent = 50, MinRequests = 20, Window = TimeSpan.FromSeconds(10), Open = TimeSpan.FromSeconds(2), MaxOpen = TimeSpan.FromSeconds(60), Probes = 5 },
            pool.Breaker);

        // Retries and hedging.
        AttemptPlan plan = route.Attempts!;
        Assert.Equal((2, false), (plan.Retry.Attempts, plan.Retry.AnyMethod));
        foreach (RetryConditions condition in (RetryConditions[])[RetryConditions.Connect, RetryConditions.Reset, RetryConditions.Refused, RetryConditions.Timeout])
            Assert.Equal(condition != RetryConditions.Timeout, plan.Retry.Allows(condition, 0, "GET", notProcessed: false));
        Assert.False(plan.Retry.Allows(RetryConditions.None, 503, "GET", notProcessed: false));
        Assert.Equal((new Backoff(TimeSpan.FromMilliseconds(25), TimeSpan.FromMilliseconds(250)), 65_536), (plan.Backoff, plan.BufferBytes));
        Assert.Equal(new RetryBudgetSettings(20, 3), plan.Budget);
        Assert.Equal(new HedgePlan(null), plan.Hedge);
        Assert.Equal((TimeSpan.FromSeconds(30), TimeSpan.FromSeconds(10), TimeSpan.FromSeconds(60)), (route.RequestTimeout, route.AttemptTimeout, route.IdleTimeout));

        // Overload and limits.
        OverloadConfig overload = config.Routes[0].Overload!;
        Assert.Equal((512, 128, TimeSpan.FromMilliseconds(200), false), (overload.MaxInflight, overload.MaxQueue, overload.QueueTimeout, overload.Adaptive));
        Assert.Equal((90, TimeSpan.FromSeconds(1)), (config.Overload.MemoryPercent, config.Overload.QueueDelay));
        Assert.Equal(3, route.Priority.Of(new RequestContext()));
        ListenerModel listener = snapshot.Listeners[0];
        Assert.Equal((8 << 10, 100, 64 << 10, 10L << 20), (listener.MaxUrlBytes, listener.MaxHeaderCount, listener.MaxHeaderBytes, listener.MaxBodyBytes));
        ListenerLimitsConfig limits = listener.Config.Limits;
        Assert.Equal((10_000, 0, TimeSpan.FromSeconds(5), TimeSpan.FromSeconds(60)), (limits.Connections, limits.ConnectionsPerAddress, limits.HeaderTimeout, limits.IdleTimeout));
    }
}
