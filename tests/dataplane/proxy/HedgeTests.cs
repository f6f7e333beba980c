using System.Diagnostics;
using Gateway.Config;
using Gateway.Core.Retry;
using Gateway.DataPlane.Obs;
using Gateway.DataPlane.Proxy;
using Gateway.DataPlane.Runtime;
using Gateway.TestKit;
using Xunit;

namespace Gateway.DataPlane.Tests.Proxy;

public sealed class HedgeTests
{
    private const string Get = "GET / HTTP/1.1\r\nHost: a\r\n\r\n";

    // The first endpoint is the one that is asked first.
    private static readonly int[] FirstFirst = [1_000_000, 1];

    private static ProxyOptions After(int milliseconds, RetryBudgetSettings? budget = null, int attempts = 1, RetryConditions on = RetryConditions.None) => new()
    {
        Weights = FirstFirst,
        Attempts = ProxyOptions.Plan(attempts, on, budget: budget, hedge: new HedgePlan(TimeSpan.FromMilliseconds(milliseconds))),
    };

    private static AttemptCounts Counts(ProxyHost proxy) => proxy.Snapshots.Current!.Routes[0].State.CountAttempts();

    [Theory]
    [InlineData("GET")]
    [InlineData("HEAD")]
    [InlineData("OPTIONS")]
    public async Task AnEndpointThatDoesNotAnswer_IsHelpedByAnother_AndLetGo(string method)
    {
        await using FaultOrigin slow = FaultOrigin.Start("slow"), good = FaultOrigin.Start("good");
        slow.Become(Fault.Hang);
        await using ProxyHost proxy = await ProxyHost.StartAsync([slow.Address, good.Address], After(50));
        await using RawHttpClient client = await RawHttpClient.ConnectAsync(proxy.Address);
        for (int i = 1; i <= 3; i++)
        {
            await client.SendAsync($"{method} / HTTP/1.1\r\nHost: a\r\n\r\n");
            RawResponse response = await client.ReadResponseAsync(isHead: method == "HEAD");
            Assert.Equal((200, "good"), (response.Status, response["x-origin"]));
            await Eventually.Until("the loser is counted", () => (Counts(proxy).HedgesWon, Counts(proxy).HedgesLost) == (i, 0));
            Assert.Equal((i, i), (slow.Hits, good.Hits));
        }
        await Eventually.Until("the losers' connections are closed", () => slow.Open == 0);
        await Eventually.Until("nothing is in flight", () => (proxy.InFlight, proxy.UpstreamInFlight) == (0, 0));
        // Who lost was not given the time to fail.
        Assert.Equal(0, proxy.Endpoints[0].State.Failures);
        Assert.Empty(proxy.Log.Errors);
    }

    [Fact]
    public async Task AnEndpointThatNeverAnswers_IsFound_ThoughEachOfItsAttemptsIsCalledOff_AndTheBreakerStaysClosed()
    {
        await using FaultOrigin silent = FaultOrigin.Start("silent"), good = FaultOrigin.Start("good");
        ProxyOptions options = After(20, new RetryBudgetSettings(100, 1000)) with { Breaker = new() { MinRequests = 5 } };
        await using ProxyHost proxy = await ProxyHost.StartAsync([silent.Address, good.Address], options);
        await using RawHttpClient client = await RawHttpClient.ConnectAsync(proxy.Address);
        EndpointState endpoint = proxy.Endpoints[0].State;
        silent.Become(Fault.Hang);
        for (int i = 0; i < 5; i++) Assert.Equal("good", (await client.RequestAsync(Get))["x-origin"]);
        await Eventually.Until("they are recorded", () => endpoint.Health.Counts.SilentRun == 5);
        Assert.Equal(0, endpoint.Failures);
        await Eventually.Until("it has been silent for long enough", async () =>
        {
            Assert.Equal("good", (await client.RequestAsync(Get))["x-origin"]);
            return endpoint.Health.Counts.UnansweredRun >= 3;
        });
        Assert.Equal(AttemptKind.Timeout, endpoint.Health.LastFailure.Kind);
        Assert.Equal(0, proxy.Endpoints[1].State.Failures);
        Assert.Equal(Core.Breaker.BreakerState.Closed, proxy.Snapshots.Current!.Routes[0].State.Attempts!.Breaker!.State);
        silent.Become(Fault.None);
        await Eventually.Until("an answer ends it", async () =>
        {
            await client.RequestAsync(Get);
            return endpoint.Health.Counts is { SilentRun: 0, UnansweredRun: 0 };
        });
    }

    [Fact]
    public async Task TheFirstToAnswerWell_Wins_AlsoWhenItIsTheFirst()
    {
        await using FaultOrigin first = FaultOrigin.Start("first"), second = FaultOrigin.Start("second");
        first.Become(Fault.SlowHeaders(TimeSpan.FromMilliseconds(200)));
        second.Become(Fault.Hang);
        await using ProxyHost proxy = await ProxyHost.StartAsync([first.Address, second.Address], After(50));
        await using RawHttpClient client = await RawHttpClient.ConnectAsync(proxy.Address);
        for (int i = 0; i < 3; i++)
        {
            await client.SendAsync(Get);
            RawResponse response = await client.ReadResponseAsync();
            Assert.Equal((200, "first", "ok\n"), (response.Status, response["x-origin"], response.Text));
        }
        await Eventually.Until("the losers are counted", () => (Counts(proxy).HedgesWon, Counts(proxy).HedgesLost) == (0, 3));
        Assert.Equal(3, second.Hits);
        // The winner's connection was kept.
        Assert.Equal(1, first.Accepted);
        await Eventually.Until("the losers' connections are closed", () => second.Open == 0);
    }

    public static TheoryData<Fault> Bad => [Fault.Status(503), Fault.ResetAt(0), Fault.Refuse];

    [Theory]
    [MemberData(nameof(Bad))]
    public async Task AHedgeThatFails_IsDropped_AndTheFirstWaitedFor(Fault fault)
    {
        await using FaultOrigin first = FaultOrigin.Start("first"), second = FaultOrigin.Start("second");
        first.Become(Fault.SlowHeaders(TimeSpan.FromMilliseconds(300)));
        second.Become(fault);
        await using ProxyHost proxy = await ProxyHost.StartAsync([first.Address, second.Address], After(50));
        RawResponse response = await RawHttpClient.OnceAsync(proxy.Address, Get);
        Assert.Equal((200, "first"), (response.Status, response["x-origin"]));
        await Eventually.Until("the loser is counted", () => Counts(proxy).HedgesLost == 1);
    }

    [Theory]
    [MemberData(nameof(Bad))]
    public async Task AFirstThatFailsWhileTheHedgeRuns_IsDropped(Fault fault)
    {
        await using FaultOrigin second = FaultOrigin.Start("second");
        await using RawOrigin first = RawOrigin.Start(async connection =>
        {
            await connection.ReadHeadAsync();
            await Eventually.Until("the hedge has gone out", () => second.Hits > 0);
            if (fault == Fault.Status(503)) await connection.SendAsync("HTTP/1.1 503 No\r\nContent-Length: 0\r\n\r\n");
            else connection.Reset();
        });
        second.Become(Fault.SlowHeaders(TimeSpan.FromMilliseconds(300)));
        await using ProxyHost proxy = await ProxyHost.StartAsync([first.Address, second.Address], After(50));
        RawResponse response = await RawHttpClient.OnceAsync(proxy.Address, Get);
        Assert.Equal((200, "second"), (response.Status, response["x-origin"]));
        await Eventually.Until("the loser is counted", () => Counts(proxy).HedgesWon == 1);
    }

    [Fact]
    public async Task WhenBothFail_TheLastToDoSoIsTheAnswer_OrIsTriedAgain()
    {
        await using FaultOrigin first = FaultOrigin.Start("first"), second = FaultOrigin.Start("second");
        first.Become(Fault.Hang);
        second.Become(Fault.Status(503));
        ProxyOptions options = After(50) with { Attempt = TimeSpan.FromMilliseconds(200) };
        await using (ProxyHost proxy = await ProxyHost.StartAsync([first.Address, second.Address], options))
        {
            RawResponse response = await RawHttpClient.OnceAsync(proxy.Address, Get);
            Assert.Equal(504, response.Status);
            Assert.Contains("\"upstream_timeout\"", response.Text, StringComparison.Ordinal);
        }
        await using FaultOrigin third = FaultOrigin.Start("third");
        options = After(50, attempts: 2, on: RetryConditions.Timeout) with { Attempt = TimeSpan.FromMilliseconds(200), Weights = [1_000_000, 1000, 1] };
        await using (ProxyHost proxy = await ProxyHost.StartAsync([first.Address, second.Address, third.Address], options))
        {
            // The hedge was the second of the two that there may be, as in Envoy.
            Assert.Equal(504, (await RawHttpClient.OnceAsync(proxy.Address, Get)).Status);
            Assert.Equal(0, third.Hits);
        }
        options = After(50, attempts: 3, on: RetryConditions.Timeout) with { Attempt = TimeSpan.FromMilliseconds(200), Weights = [1_000_000, 1000, 1] };
        await using (ProxyHost proxy = await ProxyHost.StartAsync([first.Address, second.Address, third.Address], options))
        {
            // The third attempt of the three that there may be.
            RawResponse response = await RawHttpClient.OnceAsync(proxy.Address, Get);
            Assert.Equal((200, "third"), (response.Status, response["x-origin"]));
            Assert.Equal(1, Counts(proxy).Retries(RetryReason.Timeout));
        }
    }

    [Theory]
    [InlineData("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\n\r\nx")]
    [InlineData("PUT / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\n\r\nx")]
    [InlineData("DELETE / HTTP/1.1\r\nHost: a\r\n\r\n")]
    [InlineData("GET / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\n\r\nx")]
    public async Task WhatIsNotSafe_OrHasABody_IsSentOnce(string request)
    {
        await using FaultOrigin first = FaultOrigin.Start("first"), second = FaultOrigin.Start("second");
        first.Become(Fault.SlowHeaders(TimeSpan.FromMilliseconds(200)));
        await using ProxyHost proxy = await ProxyHost.StartAsync([first.Address, second.Address], After(20));
        Assert.Equal("first", (await RawHttpClient.OnceAsync(proxy.Address, request))["x-origin"]);
        Assert.Equal(0, second.Hits);
    }

    [Fact]
    public async Task BeyondTheBudget_OrWithoutAnotherEndpoint_ThereIsNoHedge()
    {
        await using FaultOrigin first = FaultOrigin.Start("first"), second = FaultOrigin.Start("second");
        first.Become(Fault.SlowHeaders(TimeSpan.FromMilliseconds(100)));
        await using (ProxyHost proxy = await ProxyHost.StartAsync([first.Address, second.Address], After(20, new RetryBudgetSettings(0, 0))))
        {
            Assert.Equal("first", (await RawHttpClient.OnceAsync(proxy.Address, Get))["x-origin"]);
            Assert.Equal(1, Counts(proxy).Exhausted);
            Assert.Equal(0, second.Hits);
        }
        await using (ProxyHost proxy = await ProxyHost.StartAsync([first.Address], After(20)))
        {
            Assert.Equal("first", (await RawHttpClient.OnceAsync(proxy.Address, Get))["x-origin"]);
            Assert.Equal(0, Counts(proxy).Exhausted);
        }
    }

    [Fact]
    public void ASecondThatComesTooLate_IsNoAttempt()
    {
        var first = new Exchange(TimeProvider.System);
        first.Context.Attempts = 1;
        HedgeRace race = first.BeginRace();
        Assert.True(race.Decides(first, good: false));
        Assert.False(race.TryJoin(first.TakeSecond()));
        Assert.Equal(1, first.Context.Attempts);
        race = first.BeginRace();
        Assert.True(race.TryJoin(first.TakeSecond()));
        Assert.Equal(2, first.Context.Attempts);
    }

    [Fact]
    public async Task AClientThatLeaves_LeavesBoth()
    {
        await using FaultOrigin first = FaultOrigin.Start("first"), second = FaultOrigin.Start("second");
        first.Become(Fault.Hang);
        second.Become(Fault.Hang);
        await using ProxyHost proxy = await ProxyHost.StartAsync([first.Address, second.Address], After(20));
        await using (RawHttpClient client = await RawHttpClient.ConnectAsync(proxy.Address))
        {
            await client.SendAsync(Get);
            await Eventually.Until("both have it", () => first.Hits == 1 && second.Hits == 1);
        }
        await Eventually.Until("both connections are closed", () => first.Open == 0 && second.Open == 0);
        await Eventually.Until("the request is over", () => proxy.RouteTotal() == 1);
        Assert.Contains("category=\"client_closed\"} 1", proxy.Scrape(), StringComparison.Ordinal);
    }

    /// <summary>A request on a kept connection is sent without an asynchronous method, and comes to one only when its second attempt is due.</summary>
    [Fact]
    public async Task OnAKeptConnection_TheSecondAttemptIsMadeWhenItsTimeHasCome()
    {
        await using FaultOrigin first = FaultOrigin.Start("first"), second = FaultOrigin.Start("second");
        await using ProxyHost proxy = await ProxyHost.StartAsync([first.Address, second.Address], After(100, new RetryBudgetSettings(100, 1000)));
        await using RawHttpClient client = await RawHttpClient.ConnectAsync(proxy.Address);
        for (int i = 1; i <= 3; i++)
        {
            first.Become(Fault.None);
            Assert.Equal("first", (await client.RequestAsync(Get))["x-origin"]);
            // Answered in time, though only just.
            first.Become(Fault.SlowHeaders(TimeSpan.FromMilliseconds(20)));
            Assert.Equal("first", (await client.RequestAsync(Get))["x-origin"]);
            Assert.Equal((3 * i) - 1, first.Hits);
            Assert.Equal(i - 1, second.Hits);
            first.Become(Fault.Hang);
            long asked = Stopwatch.GetTimestamp();
            Assert.Equal("second", (await client.RequestAsync(Get))["x-origin"]);
            Assert.InRange(Stopwatch.GetElapsedTime(asked).TotalMilliseconds, 100, 5000);
            await Eventually.Until("the loser is counted", () => (Counts(proxy).HedgesWon, Counts(proxy).HedgesLost) == (i, 0));
            await Eventually.Until("its connection is closed", () => first.Open == 0);
        }
        await Eventually.Until("nothing is in flight", () => (proxy.InFlight, proxy.UpstreamInFlight) == (0, 0));
        Assert.Empty(proxy.Log.Errors);
    }

    [Fact]
    public async Task OnAKeptConnection_AClientThatLeavesBeforeTheSecondAttempt_LeavesNoTimer()
    {
        await using FaultOrigin first = FaultOrigin.Start("first"), second = FaultOrigin.Start("second");
        await using ProxyHost proxy = await ProxyHost.StartAsync([first.Address, second.Address], After(200));
        await using (RawHttpClient client = await RawHttpClient.ConnectAsync(proxy.Address))
        {
            Assert.Equal("first", (await client.RequestAsync(Get))["x-origin"]);
            first.Become(Fault.Hang);
            await client.SendAsync(Get);
            await Eventually.Until("it is there", () => first.Hits == 2);
        }
        await Eventually.Until("the request is over", () => proxy.RouteTotal() == 2);
        Assert.Contains("category=\"client_closed\"} 1", proxy.Scrape(), StringComparison.Ordinal);
        // Whoever comes next on the loop is past the time of the one that left.
        first.Become(Fault.SlowHeaders(TimeSpan.FromMilliseconds(150)));
        await using RawHttpClient other = await RawHttpClient.ConnectAsync(proxy.Address);
        for (int i = 0; i < 3; i++) Assert.Equal("first", (await other.RequestAsync(Get))["x-origin"]);
        Assert.Equal(0, second.Hits);
        Assert.Empty(proxy.Log.Errors);
    }

    [Fact]
    public async Task AClientThatLeavesAfterTheHedgeHasWon_IsNoticed()
    {
        await using FaultOrigin first = FaultOrigin.Start("first");
        await using HttpOrigin second = await HttpOrigin.StartAsync("second");
        first.Become(Fault.Hang);
        await using ProxyHost proxy = await ProxyHost.StartAsync([first.Address, second.Address], After(20));
        await using (RawHttpClient client = await RawHttpClient.ConnectAsync(proxy.Address))
        {
            await client.SendAsync("GET /half?gate=never HTTP/1.1\r\nHost: a\r\n\r\n");
            Assert.Equal(200, (await client.ReadHeadAsync())!.Status);
        }
        await Eventually.Until("the origin's request is over", () => second.Aborted == 1);
    }

    [Fact]
    public async Task ByThe95thPercentile_NothingIsHedgedBeforeThereIsOne()
    {
        await using FaultOrigin first = FaultOrigin.Start("first"), second = FaultOrigin.Start("second");
        ProxyOptions options = new() { Weights = FirstFirst, Attempts = ProxyOptions.Plan(1, hedge: new HedgePlan(null)) };
        await using ProxyHost proxy = await ProxyHost.StartAsync([first.Address, second.Address], options);
        await using RawHttpClient client = await RawHttpClient.ConnectAsync(proxy.Address);
        for (int i = 0; i < 19; i++) Assert.Equal("first", (await client.RequestAsync(Get))["x-origin"]);
        first.Become(Fault.SlowHeaders(TimeSpan.FromMilliseconds(500)));
        Assert.Equal("first", (await client.RequestAsync(Get))["x-origin"]);
        Assert.Equal(0, second.Hits);
        // Twenty are known now, of which one took half a second.
        Assert.Equal("second", (await client.RequestAsync(Get))["x-origin"]);
    }

    [Theory]
    [InlineData(UpstreamProtocol.Http1)]
    [InlineData(UpstreamProtocol.H2c)]
    public async Task ManyRequests_EachGetTheirOwnAnswer_WhoeverWins(UpstreamProtocol protocol)
    {
        await using HttpOrigin a = protocol == UpstreamProtocol.Http1 ? await HttpOrigin.StartAsync("a") : await HttpOrigin.StartH2cAsync("a");
        await using HttpOrigin b = protocol == UpstreamProtocol.Http1 ? await HttpOrigin.StartAsync("b") : await HttpOrigin.StartH2cAsync("b");
        foreach (HttpOrigin origin in new[] { a, b })
        {
            var random = new Random(origin.Id[0]);
            origin.Map("/x", async http =>
            {
                int wait;
                lock (random) wait = random.Next(12);
                if (wait > 0) await Task.Delay(wait, http.RequestAborted);
                await Microsoft.AspNetCore.Http.HttpResponseWritingExtensions.WriteAsync(http.Response, new string('y', 3000) + http.Request.QueryString);
            });
        }
        ProxyOptions options = After(5, new RetryBudgetSettings(100, 1000)) with { Weights = [1], Protocol = protocol };
        await using ProxyHost proxy = await ProxyHost.StartAsync([a.Address, b.Address], options);
        await Task.WhenAll(Enumerable.Range(0, 4).Select(async c =>
        {
            await using RawHttpClient client = await RawHttpClient.ConnectAsync(proxy.Address);
            for (int i = 0; i < 100; i++)
            {
                RawResponse response = await client.RequestAsync($"GET /x?c={c}&i={i} HTTP/1.1\r\nHost: a\r\n\r\n");
                Assert.Equal(200, response.Status);
                Assert.EndsWith($"y?c={c}&i={i}", response.Text, StringComparison.Ordinal);
            }
        }));
        AttemptCounts counts = Counts(proxy);
        Assert.True(counts.HedgesWon > 10 && counts.HedgesLost > 10, $"{counts.HedgesWon} won, {counts.HedgesLost} lost");
        await Eventually.Until("all is recorded, and nothing in flight", () => (proxy.InFlight, proxy.UpstreamInFlight, proxy.RouteTotal()) == (0, 0, 400));
        Assert.Empty(proxy.Log.Errors);
    }
}
