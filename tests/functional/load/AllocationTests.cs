using System.Globalization;
using Gateway.Functional.Tests.Harness;
using Gateway.TestKit;
using Xunit;

namespace Gateway.Functional.Tests.Load;

/// <summary>
/// Section "request" of bench/budgets.json: what the built gateway allocates for a healthy request in all, Kestrel's part included, with
/// metrics and a line of the access log for each, and with every policy on that a healthy request passes by and must not pay for.
/// </summary>
[Collection("load")]
public sealed class AllocationTests(AllocationSite site, ITestOutputHelper output) : IClassFixture<AllocationSite>
{
    private const int Round = 4000;

    // On a slow machine code is compiled for the last time long after it has become warm.
    private const int MostRounds = 40;

    // Memory is counted by the 8 KB that a thread takes at once, and the process does other things beside.
    private const double Agreement = 4;

    // Of HTTP/2: how often one of its streams can be used again, and how many of its reads come together, is never twice the same.
    private const double SharedAgreement = 0.25;

    public static TheoryData<string, string> Http1Cases => new()
    {
        { "Http1.Get", "plain" }, { "Http1.Get", "retries" }, { "Http1.Get", "hedged" }, { "Http1.Get", "adaptive" }, { "Http1.Get", "ewma" },
        { "Http1.Get", "hashed" }, { "Http1.Get", "sticky" }, { "Http1.Get", "deadline" }, { "Http1.Post", "plain" }, { "Http1.Post", "retries" },
        { "Http1.Get", "all" }, { "Http1.Post", "all" },
    };

    [Theory]
    [MemberData(nameof(Http1Cases))]
    public async Task ARequestOverHttp1_StaysInItsBudget(string operation, string route)
    {
        await using RawHttpClient client = await RawHttpClient.ConnectAsync(site.Gateway.Listener());
        await AssertInBudgetAsync(operation, () => SendAsync(client, operation == "Http1.Post" ? AllocationSite.Post(route) : AllocationSite.Get(route)));
    }

    [Fact]
    public async Task ARequestOverTls_StaysInItsBudget()
    {
        await using RawHttpClient client = await RawHttpClient.ConnectTlsAsync(site.Gateway.Listener("tls"), "localhost");
        await AssertInBudgetAsync("Http1.Tls.Get", () => SendAsync(client, AllocationSite.Get("plain")));
    }

    [Theory]
    [InlineData("Http2.Get", "web")]
    [InlineData("Http2.Tls.Get", "tls")]
    public async Task ARequestOverHttp2_StaysInItsBudget(string operation, string listener)
    {
        using HttpClient client = H2Client.Http2(site.Gateway.Listener(listener), serverName: "localhost");
        await AssertInBudgetAsync(operation, async () =>
        {
            using HttpRequestMessage request = H2Client.Request("2.0", HttpMethod.Get, "/path/to/something?page=2", "plain.test");
            using HttpResponseMessage response = await client.SendAsync(request);
            Assert.Equal(130, (await response.Content.ReadAsByteArrayAsync()).Length);
        });
    }

    /// <summary>A measure that sees nothing would pass all the others.</summary>
    [Fact]
    public async Task TheMeasure_SeesWhatAnErrorAllocates()
    {
        await using RawHttpClient client = await RawHttpClient.ConnectAsync(site.Gateway.Listener());
        double least = await LeastAsync(async () => Assert.Equal(404, (await client.RequestAsync(AllocationSite.Get("nobody"))).Status), enough: double.MaxValue);
        Assert.InRange(least, 500, 20_000);
    }

    private static async Task SendAsync(RawHttpClient client, string request)
    {
        RawResponse response = await client.RequestAsync(request);
        Assert.True(response is { Status: 200, Body.Length: 130 }, response.ToString());
    }

    private async Task AssertInBudgetAsync(string operation, Func<Task> send)
    {
        long budget = AllocationBudget.Of("request", operation);
        double least = await LeastAsync(send, budget);
        Assert.True(least <= budget, $"{operation}: {least:F0} bytes for a request are more than {budget}");
    }

    /// <summary>
    /// Bytes for a request in the least round of all, until two in a row agreed on no more than enough: what is done once, or beside the
    /// requests (code compiled anew, a collection's bookkeeping), is no cost of a request.
    /// </summary>
    private async Task<double> LeastAsync(Func<Task> send, double enough)
    {
        double least = double.MaxValue, last = double.MaxValue;
        var rounds = new List<double>();
        // What it costs to ask is nobody's request.
        double asking = await AllocatedAsync();
        asking = await AllocatedAsync() - asking;
        while (rounds.Count < MostRounds)
        {
            double before = await AllocatedAsync();
            for (int i = 0; i < Round; i++) await send();
            double bytes = Math.Max(0, (await AllocatedAsync() - before - asking) / Round);
            rounds.Add(bytes);
            least = Math.Min(least, bytes);
            if (least <= enough && Math.Abs(bytes - last) <= Math.Max(Agreement, least * SharedAgreement)) break;
            last = bytes;
        }
        output.WriteLine($"bytes a request, by round: {string.Join(", ", rounds.Select(static r => r.ToString("F0", CultureInfo.InvariantCulture)))}");
        return least;
    }

    private async Task<double> AllocatedAsync() => (await site.Gateway.MetricsAsync()).Sum("dotnet_gc_allocated_bytes_total");
}
