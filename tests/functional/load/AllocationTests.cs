using Gateway.Functional.Tests.Harness;
using Gateway.TestKit;
using Xunit;

namespace Gateway.Functional.Tests.Load;

/// <summary>Section "request" of bench/budgets.json: what the built gateway allocates for a request in all, the HTTP server's part included.</summary>
[Collection("load")]
public sealed class AllocationTests
{
    /// <summary>All that a healthy request passes by and must not pay for.</summary>
    private static class Resilient
    {
        public const string Route = """
            "retry": { "attempts": 3, "on": ["connect", "reset", "refused", "5xx"], "perClient": { "key": "ip" } }, "overload": { "maxInflight": 100 }
            """;

        public const string Pool = """
            "breaker": {}, "outlier": { "latency": {} }, "connections": { "maxPerEndpoint": 100, "maxRequestsPerEndpoint": 100 }
            """;
    }

    private const int WarmUp = 1000;
    private const int Measured = 4000;

    [Theory]
    [InlineData("Http1.Get", "GET /path/to/something?page=2 HTTP/1.1\r\nHost: shop.test\r\nAccept: */*\r\nUser-Agent: test\r\n\r\n")]
    [InlineData("Http1.Get", "GET /path/to/something?page=2 HTTP/1.1\r\nHost: shop.test\r\nAccept: */*\r\nUser-Agent: test\r\n\r\n", Resilient.Route, Resilient.Pool)]
    [InlineData("Http1.Post", "POST /path/to/something?page=2 HTTP/1.1\r\nHost: shop.test\r\nAccept: */*\r\nUser-Agent: test\r\nContent-Length: 10\r\n\r\n0123456789")]
    public async Task AKeepAliveRequest_StaysInItsBudget(string operation, string request, string route = "", string pool = "")
    {
        using var logs = new TempFolder();
        await using FaultOrigin origin = FaultOrigin.Start(body: new string('x', 130));
        // With what is on by default, metrics and a line of the access log for each request.
        await using GatewayProcess gateway = await GatewayProcess.StartAsync(Doc.Of(
            Doc.Route("all", more: route), Doc.PoolWith("main", pool, origin.Address), more: $$"""
            "accessLog": { "output": "{{logs["access.log"]}}" }
            """));
        await using RawHttpClient client = await RawHttpClient.ConnectAsync(gateway.Listener());
        double least = double.MaxValue;
        await SendAsync(WarmUp);
        // The least of two rounds, as for every budget: what the process does beside (a collection's bookkeeping, code compiled anew) is no cost of a request.
        for (int round = 0; round < 2; round++)
        {
            double before = await AllocatedAsync();
            await SendAsync(Measured);
            least = Math.Min(least, (await AllocatedAsync() - before) / Measured);
        }
        long budget = AllocationBudget.Of("request", operation);
        Assert.True(least <= budget, $"{operation}: {least:F0} bytes for a request are more than {budget}");
        // A measure that sees nothing would pass too. The request's id alone is a string of 32 characters.
        Assert.True(least > 64, $"{operation}: {least:F0} bytes cannot be");
        Assert.Equal(WarmUp + 2 * Measured, origin.Hits);

        async Task SendAsync(int count)
        {
            for (int i = 0; i < count; i++) Assert.Equal(200, (await client.RequestAsync(request)).Status);
        }

        async Task<double> AllocatedAsync() => (await gateway.MetricsAsync()).Sum("dotnet_gc_allocated_bytes_total");
    }
}
