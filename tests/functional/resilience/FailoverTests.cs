using Gateway.Functional.Tests.Harness;
using Gateway.TestKit;
using Xunit;

namespace Gateway.Functional.Tests.Resilience;

/// <summary>Zones and priorities while endpoints fail and come back: who gets the requests, and that no client notices.</summary>
public sealed class FailoverTests : IAsyncLifetime
{
    private readonly FaultOrigin _near1 = FaultOrigin.Start("near1"), _near2 = FaultOrigin.Start("near2"), _far = FaultOrigin.Start("far"), _spare = FaultOrigin.Start("spare");

    public ValueTask InitializeAsync() => ValueTask.CompletedTask;

    public async ValueTask DisposeAsync()
    {
        foreach (FaultOrigin origin in (FaultOrigin[])[_near1, _near2, _far, _spare]) await origin.DisposeAsync();
    }

    [Fact]
    public async Task RequestsGoToTheNearest_ThenToOtherZones_ThenToTheNextPriority_AndBack()
    {
        await using GatewayProcess gateway = await GatewayProcess.StartAsync(Doc.Of(Doc.Route("all", more: "\"retry\": { \"attempts\": 4, \"backoff\": { \"base\": \"1ms\" }, \"budget\": { \"minPerSecond\": 100 } }"),
            $$"""
            "main": {
              "endpoints": [
                { "address": "{{_near1.Address}}", "zone": "a" }, { "address": "{{_near2.Address}}", "zone": "a" },
                { "address": "{{_far.Address}}", "zone": "b" }, { "address": "{{_spare.Address}}", "zone": "a", "priority": 1 } ],
              "loadBalancing": "random",
              "health": { "passive": { "failures": 0 }, "active": { "type": "tcp", "interval": "100ms", "unhealthyAfter": 1, "healthyAfter": 1 } } }
            """, more: Doc.NoAccessLog), new GatewayProcessOptions { Arguments = ["--zone", "a"] });
        await using SteadyLoad load = SteadyLoad.Start(gateway.Listener(), Doc.Get(), clients: 4, pause: TimeSpan.FromMilliseconds(1));

        async Task HealthyAsync(int count) => await Eventually.Until($"{count} endpoints are healthy", async () => (await gateway.MetricsAsync()).Sum("gateway_endpoint_healthy") == count);

        // Percent of the next requests by origin, in the order near, far, spare.
        async Task<(double Near, double Far, double Spare)> SharesAsync()
        {
            // The sets of endpoints follow the health that the metrics tell a moment later, and what was on its way ends.
            await load.MoreAsync(100);
            TimeSpan from = load.Now;
            await load.MoreAsync(1000);
            IReadOnlyList<LoadSample> samples = load.Since(from);
            double Share(string origin) => 100.0 * samples.Count(s => s.Origin!.StartsWith(origin, StringComparison.Ordinal)) / samples.Count;
            return (Share("near"), Share("far"), Share("spare"));
        }

        await HealthyAsync(4);
        Assert.Equal((100, 0, 0), await SharesAsync());

        // Half of them are left: 1.4 times that is theirs.
        _near2.Become(Fault.Refuse);
        await HealthyAsync(3);
        (double near, double far, double spare) = await SharesAsync();
        Assert.InRange(near, 60, 80);
        Assert.InRange(far, 20, 40);
        Assert.Equal(0, spare);

        _near1.Become(Fault.Refuse);
        await HealthyAsync(2);
        Assert.Equal((0, 100, 0), await SharesAsync());

        _far.Become(Fault.Refuse);
        await HealthyAsync(1);
        Assert.Equal((0, 0, 100), await SharesAsync());

        foreach (FaultOrigin origin in (FaultOrigin[])[_near1, _near2, _far]) origin.Become(Fault.None);
        await HealthyAsync(4);
        Assert.Equal((100, 0, 0), await SharesAsync());
        Assert.DoesNotContain(load.Samples, static s => s.Status != 200);
    }
}
