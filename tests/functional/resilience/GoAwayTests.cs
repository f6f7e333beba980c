using Gateway.Functional.Tests.Harness;
using Gateway.TestKit;
using Xunit;

namespace Gateway.Functional.Tests.Resilience;

/// <summary>An HTTP/2 endpoint that goes away in the middle of its traffic: what it has not served is sent again, what it has is not.</summary>
public sealed class GoAwayTests
{
    [Theory]
    [InlineData("h2c", "GET")]
    [InlineData("h2c", "POST")]
    [InlineData("https", "GET")]
    [InlineData("https", "POST")]
    public async Task RequestsAboveTheLastStream_AreSentAgain_AndNoneIsLostOrServedTwice(string protocol, string method)
    {
        // Fewer are refused than the budget allows: 3 a second over 10 seconds.
        const int Clients = 10, Each = 20;
        using TestCertificates certificates = new();
        bool secure = protocol == "https";
        await using GoAwayOrigin origin = GoAwayOrigin.Start(new GoAwayPlan(Connections: 2, Answered: 4, Beyond: 2), secure ? certificates.Server("origin", "127.0.0.1").Certificate : null);
        await using GatewayProcess gateway = await GatewayProcess.StartAsync(Doc.Of(
            // A request may meet both connections that go away.
            Doc.Route("all", more: "\"retry\": { \"attempts\": 3 }"), Doc.PoolWith("main", $"\"protocol\": \"{protocol}\"{(secure ? $", \"tls\": {{ \"ca\": \"{certificates.CaFile}\" }}" : "")}", origin.Address), more: Doc.NoAccessLog));
        await Task.WhenAll(Enumerable.Range(0, Clients).Select(async c =>
        {
            await using RawHttpClient client = await RawHttpClient.ConnectAsync(gateway.Listener());
            for (int i = 0; i < Each; i++)
            {
                string id = $"c{c}r{i}";
                RawResponse response = await client.RequestAsync(method == "GET" ? Doc.Get() : Doc.Post("/", id));
                Assert.True(response.Status == 200, $"{id}: {response}");
                if (method == "POST") Assert.Equal(id, response.Text);
            }
        }));
        Assert.Equal(2, origin.GoneAway);
        Assert.InRange(origin.Refused, 4, 2 * (Clients - 4));
        Assert.Equal(Clients * Each, origin.Processed.Count);
        if (method == "POST") Assert.Equal(Clients * Each, origin.Processed.Distinct().Count());
        MetricSamples metrics = await gateway.MetricsAsync();
        Assert.Equal(Clients * Each, metrics.Sum("gateway_requests_total", "route=\"all\"", "status_class=\"2xx\""));
        // What had not left the gateway when the connection closed, the origin never saw.
        Assert.InRange(metrics.Sum("gateway_retries_total", "route=\"all\""), origin.Refused, 2 * (Clients - 4));
    }
}
