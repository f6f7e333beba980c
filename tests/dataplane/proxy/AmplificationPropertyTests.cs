using System.Diagnostics;
using System.Globalization;
using Gateway.Core.Retry;
using Gateway.DataPlane.Obs;
using Gateway.DataPlane.Runtime;
using Gateway.DataPlane.Server;
using Gateway.TestKit;
using Xunit;

namespace Gateway.DataPlane.Tests.Proxy;

/// <summary>
/// The one bound over everything that is sent beyond a request's first attempt, whatever the upstreams do and whatever is configured:
/// upstream attempts ≤ (1 + budget) × requests + floor. Held against what the origins have counted, and what is exported against both.
/// </summary>
public sealed class AmplificationPropertyTests
{
    private const int Clients = 4, RequestsOfEach = 30;

    public static TheoryData<OriginProtocol, int> Cases
    {
        get
        {
            var data = new TheoryData<OriginProtocol, int>();
            for (int seed = 0; seed < 16; seed++) data.Add(OriginProtocol.Http1, seed);
            for (int seed = 0; seed < 8; seed++) data.Add(OriginProtocol.H2c, 100 + seed);
            return data;
        }
    }

    /// <summary>What is drawn of a seed; printed when a case fails.</summary>
    private sealed record Case(Fault[] Faults, int Attempts, RetryConditions On, RetryBudgetSettings Budget, RetryBudgetSettings? PerClient, TimeSpan? HedgeAfter, int BodyBytes)
    {
        public static Case Draw(Random random, bool isHttp2)
        {
            List<Fault> known =
            [
                Fault.Refuse, Fault.ResetAt(0), Fault.ResetAt(20), Fault.Status(503), Fault.StatusShare(500, 0.5), Fault.Hang, Fault.Garbage, Fault.StaleAfter(1), Fault.StaleAfter(3),
                Fault.SlowHeaders(TimeSpan.FromMilliseconds(30)), Fault.SlowBody(TimeSpan.FromMilliseconds(2)), Fault.None,
            ];
            if (isHttp2) known.AddRange([Fault.RefuseStream, Fault.ResetStreamAt(1), Fault.GoAway]);
            bool hedges = random.Next(3) == 0;
            return new Case(
                [.. Enumerable.Range(0, random.Next(1, 4)).Select(_ => known[random.Next(known.Count)])],
                random.Next(1, 6),
                // Those that are rarest in documents are what amplifies most.
                (RetryConditions)random.Next(64) | RetryConditions.ServerError,
                new RetryBudgetSettings(random.Next(0, 60), random.Next(0, 2)),
                random.Next(3) == 0 ? new RetryBudgetSettings(random.Next(0, 40), random.Next(0, 2)) : null,
                hedges ? TimeSpan.FromMilliseconds(10) : null,
                hedges ? 0 : ((int[])[0, 10, 3000])[random.Next(3)]);
        }

        public override string ToString() => string.Create(CultureInfo.InvariantCulture,
            $"[{string.Join(", ", (object[])Faults)}], attempts {Attempts} on {On}, budget {Budget}, per client {PerClient}, hedge after {HedgeAfter}, body {BodyBytes}");
    }

    [Theory]
    [MemberData(nameof(Cases))]
    public async Task UpstreamsAreAskedNoMoreThanTheBoundAllows_AndTheMetricsSayTheSame(OriginProtocol protocol, int seed)
    {
        var drawn = Case.Draw(new Random(seed), protocol != OriginProtocol.Http1);
        using var certificates = new TestCertificates();
        FaultOrigin[] origins = [.. drawn.Faults.Select((_, i) => FaultOrigin.Start(protocol, certificates, $"o{i}"))];
        for (int i = 0; i < origins.Length; i++) origins[i].Become(drawn.Faults[i]);
        try
        {
            long begun = Stopwatch.GetTimestamp();
            await using ProxyHost proxy = await ProxyHost.StartAsync([.. origins.Select(static o => o.Address)], FaultProtocols.Options(protocol, certificates) with
            {
                Attempt = TimeSpan.FromMilliseconds(60),
                Attempts = ProxyOptions.Plan(
                    drawn.Attempts, drawn.On, bufferBytes: 1000, budget: drawn.Budget, perClient: drawn.PerClient, clientHeader: "x-user",
                    hedge: drawn.HedgeAfter is { } after ? new HedgePlan(after) : null),
            });
            AttemptMetrics.Register(proxy.Metrics, proxy.Snapshots, TimeProvider.System);
            await Task.WhenAll(Enumerable.Range(0, Clients).Select(client => AskAsync(proxy, drawn, client)));
            await Eventually.Until("every attempt is over", () => proxy is { InFlight: 0, UpstreamInFlight: 0 });
            // What an attempt has come to is counted a moment after its end.
            string wrong = "";
            try
            {
                await Eventually.Until("the numbers agree", () =>
                    (wrong = Wrong(MetricSamples.Parse(proxy.Scrape()), drawn.Budget, origins.Sum(static o => o.Hits), Stopwatch.GetElapsedTime(begun).TotalSeconds)).Length == 0, TimeSpan.FromSeconds(5));
            }
            catch (TimeoutException)
            {
                Assert.Fail($"{wrong}; {drawn}");
            }
            Assert.Empty(proxy.Log.Errors);
        }
        finally
        {
            foreach (FaultOrigin origin in origins) await origin.DisposeAsync();
        }
    }

    private static async Task AskAsync(ProxyHost proxy, Case drawn, int client)
    {
        RawHttpClient? connection = null;
        string request = (drawn.BodyBytes == 0 ? "GET" : "PUT") + $" / HTTP/1.1\r\nHost: a\r\nx-user: u{client % 2}\r\n"
            + (drawn.BodyBytes == 0 ? "\r\n" : $"Content-Length: {drawn.BodyBytes}\r\n\r\n{new string('x', drawn.BodyBytes)}");
        for (int i = 0; i < RequestsOfEach; i++)
        {
            try
            {
                connection ??= await RawHttpClient.ConnectAsync(proxy.Address);
                await connection.SendAsync(request);
                if (await connection.ReadResponseAsync() is { IsWhole: true } response && response["connection"] != "close") continue;
            }
            catch (Exception e) when (e is IOException or InvalidDataException)
            {
                // Cut off by the upstream after its head, and so by the gateway.
            }
            if (connection is not null) await connection.DisposeAsync();
            connection = null;
        }
        if (connection is not null) await connection.DisposeAsync();
    }

    /// <summary>What does not agree, with all numbers; empty when all does.</summary>
    private static string Wrong(MetricSamples metrics, RetryBudgetSettings budget, long hits, double seconds)
    {
        double requests = metrics.Sum("gateway_requests_total", "route=\"route\""), extra = metrics.Sum("gateway_retries_total") + metrics.Sum("gateway_hedges_total");
        double attempts = metrics.Sum("gateway_upstream_attempts_total"), stale = metrics.Sum("gateway_retries_total", "reason=\"stale\"");
        double made = metrics.Sum("gateway_extra_attempts", "state=\"made\""), allowed = metrics.Sum("gateway_extra_attempts", "state=\"allowed\"");
        // Attempts that may have ended before an origin read them: without a connection, out of time, called off, on a connection that broke.
        double unread = ((string[])["upstream_connect_failed", "upstream_timeout", "client_closed", "upstream_reset", "upstream_protocol_error"])
            .Sum(result => metrics.Sum("gateway_upstream_attempts_total", $"result=\"{result}\"")) + stale;
        // RetryBudget's own words; what is allowed in each window is rounded down, which only makes it less.
        double bound = ((1 + (budget.Percent / 100.0)) * requests) + (budget.MinPerSecond * (seconds + 10));
        string what =
            requests < Clients * RequestsOfEach / 2.0 ? "too few requests came to say anything"
            : hits > bound ? "the origins were asked more often than the bound allows"
            : requests + extra > bound ? "more was counted than the bound allows"
            : hits > requests + extra ? "the origins were asked more often than was counted"
            : requests + extra - hits > unread ? "more was counted than the origins were asked"
            // Every attempt has its result, one sent anew on another connection perhaps no other than the first one's.
            : attempts < requests + extra - stale || attempts > requests + extra ? "the attempts' results are not as many as the attempts"
            : made != extra || made > allowed ? "what is exported of the bound is not so"
            : "";
        return what.Length == 0 ? "" : string.Create(CultureInfo.InvariantCulture,
            $"{what}: {requests} requests, {hits} read by origins, {attempts} attempts, {extra} extra ({stale} stale), exported {made} of {allowed}, {unread} perhaps unread, bound {bound:0.#}");
    }
}
