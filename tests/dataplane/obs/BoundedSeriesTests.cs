using System.Diagnostics;
using FsCheck;
using FsCheck.Fluent;
using Gateway.DataPlane.Obs;
using Xunit;

namespace Gateway.DataPlane.Tests.Obs;

public sealed class BoundedSeriesTests
{
    private const string OtherRoute = "route=\"other\"";

    [Fact]
    public void FewRoutes_AllHaveTheirNames_AndNothingIsOther()
    {
        GatewayMetrics metrics = new(MetricsTests.Categories);
        for (int i = 0; i < 20; i++) Attach(metrics, $"r{i}").Record(200, 0, 1);
        Scrape scrape = Scrape.Of(metrics);
        for (int i = 0; i < 20; i++) Assert.Equal(1, scrape[Requests($"r{i}")]);
        Assert.DoesNotContain(OtherRoute, scrape.Text);
    }

    [Fact]
    public void BeyondTheCap_TheBusiestAreNamed_AndTheSumStaysExact()
    {
        GatewayMetrics metrics = new(MetricsTests.Categories) { MaxSeries = 1000 };
        for (int i = 0; i < 500; i++)
        {
            RouteMetrics route = Attach(metrics, $"r{i}");
            for (int n = 0; n <= i; n++) route.Record(200, 0, 1);
        }
        Scrape scrape = Scrape.Of(metrics);
        Assert.True(scrape.Series.Count <= 1000, $"{scrape.Series.Count} series");
        Assert.Equal(500 * 501 / 2, scrape.Sum("gateway_requests_total"));
        Assert.Equal(500, scrape[Requests("r499")]);
        Assert.Equal(double.NaN, scrape[Requests("r0")]);
        Assert.True(scrape[Requests("other")] > 0);
    }

    [Fact]
    public void ARouteThatWakesUp_TakesTheNameOfAnIdleOne_FromItsOwnBaseline()
    {
        GatewayMetrics metrics = new(MetricsTests.Categories) { MaxSeries = 1000 };
        RouteMetrics[] routes = [.. Enumerable.Range(0, 200).Select(i => Attach(metrics, $"r{i}"))];
        for (int i = 0; i < 200; i++) Repeat(routes[i], 1 + i);
        double other = Scrape.Of(metrics)[Requests("other")];

        Repeat(routes[0], 5000);
        Scrape after = Scrape.Of(metrics);

        // The one request that was counted as other stays there; the 5000 since are its own.
        Assert.Equal(5000, after[Requests("r0")]);
        Assert.True(after[Requests("other")] >= other);
        Assert.Equal((200 * 201 / 2) + 5000, after.Sum("gateway_requests_total"));
    }

    [Fact]
    public void TwoRoutesOfLikeTraffic_DoNotTakeTurns()
    {
        GatewayMetrics metrics = new(MetricsTests.Categories) { MaxSeries = 1000 };
        RouteMetrics[] routes = [.. Enumerable.Range(0, 200).Select(i => Attach(metrics, $"r{i}"))];
        Random random = new(7);
        HashSet<string>? named = null;
        for (int scrape = 0; scrape < 20; scrape++)
        {
            foreach (RouteMetrics route in routes) Repeat(route, 50 + random.Next(50));
            HashSet<string> now = [.. Scrape.Of(metrics).Series.Keys.Where(static k => k.StartsWith("gateway_requests_total", StringComparison.Ordinal))];
            Assert.True(named is null || named.SetEquals(now), "a name changed hands");
            named = now;
        }
    }

    [Fact]
    public void ARemovedRoute_MovesIntoOther_WithWhatItsLastRequestsStillRecord()
    {
        GatewayMetrics metrics = new(MetricsTests.Categories);
        RouteMetrics route = Attach(metrics, "gone");
        TrafficCounts held = route.Counts;
        Repeat(route, 10);
        Assert.Equal(10, Scrape.Of(metrics)[Requests("gone")]);

        metrics.Detach(route);
        held.Record(1, 1);
        route.Record(200, 0, 1);
        Scrape after = Scrape.Of(metrics);

        Assert.Equal(double.NaN, after[Requests("gone")]);
        Assert.Equal(12, after[Requests("other")]);
        held.Record(1, 1);
        Assert.Equal(13, Scrape.Of(metrics)[Requests("other")]);
        metrics.Detach(route);
        Assert.Equal(13, Scrape.Of(metrics)[Requests("other")]);
    }

    [Fact]
    public void ARoutePutBackWhileItsOldRequestsRun_GoesOnCounting()
    {
        GatewayMetrics metrics = new(MetricsTests.Categories);
        RouteMetrics old = Attach(metrics, "r");
        Repeat(old, 3);
        RouteMetrics next = metrics.Route("r");
        metrics.Attach(next);
        metrics.Detach(old);
        Repeat(old, 1);
        Repeat(next, 1);
        Assert.Equal(5, Scrape.Of(metrics)[Requests("r")]);
    }

    [Fact]
    public void ARouteTakenOutAndPutBackBetweenTwoScrapes_GoesOnCounting()
    {
        GatewayMetrics metrics = new(MetricsTests.Categories);
        RouteMetrics route = Attach(metrics, "r");
        Repeat(route, 3);
        _ = Scrape.Of(metrics);
        metrics.Detach(route);
        Repeat(Attach(metrics, "r"), 1);
        Assert.Equal(4, Scrape.Of(metrics)[Requests("r")]);
    }

    [Fact]
    public void ARouteCalledOther_IsPartOfOther()
    {
        GatewayMetrics metrics = new(MetricsTests.Categories) { MaxSeries = 1000 };
        for (int i = 0; i < 200; i++) Repeat(Attach(metrics, $"r{i}"), 1);
        Repeat(Attach(metrics, "other"), 1000);
        Assert.True(Scrape.Of(metrics)[Requests("other")] >= 1000);
    }

    [Fact]
    public void ASmallerCap_HoldsFromTheNextScrape()
    {
        GatewayMetrics metrics = new(MetricsTests.Categories);
        for (int i = 0; i < 500; i++) Repeat(Attach(metrics, $"r{i}"), 2);
        Assert.True(Scrape.Of(metrics).Series.Count > 5000);
        metrics.MaxSeries = 1000;
        Scrape scrape = Scrape.Of(metrics);
        Assert.True(scrape.Series.Count <= 1000);
        Assert.Equal(1000, scrape.Sum("gateway_requests_total"));
    }

    private sealed record Step(int Kind, int Who, int Amount);

    /// <summary>
    /// Random traffic, routes and pools that come and go, caps and scrapes: at no scrape are there more series than the cap, no exported
    /// series is lower than it was at the scrape before, what is called other never goes down, and the sum is what was recorded.
    /// </summary>
    [Fact]
    public void WhateverTheTraffic_SeriesAreBoundedMonotoneAndExact()
    {
        Gen<Step> step = from kind in Gen.Choose(0, 19)
                         from who in Gen.Choose(0, 149)
                         from amount in Gen.Choose(1, 40)
                         select new Step(kind, who, amount);
        Prop.ForAll(step.ListOf().Resize(400).ToArbitrary(), Holds).Check(FsCheck.Config.QuickThrowOnFailure.WithMaxTest(25));
    }

    private static void Holds(IList<Step> steps)
    {
        GatewayMetrics metrics = new(MetricsTests.Categories) { MaxSeries = 1000 };
        Dictionary<int, RouteMetrics> routes = [];
        Dictionary<int, PoolMetrics> pools = [];
        Scrape? before = null;
        long requests = 0, attempts = 0;
        foreach (Step s in steps)
        {
            switch (s.Kind)
            {
                case 0 or 1:
                    Check();
                    break;
                case 2 when routes.Remove(s.Who, out RouteMetrics? gone):
                    metrics.Detach(gone);
                    Repeat(gone, 1);
                    requests++;
                    break;
                case 3 when pools.Remove(s.Who, out PoolMetrics? goneToo):
                    metrics.Detach(goneToo);
                    break;
                case 4:
                    metrics.MaxSeries = 1000 + (s.Who * 10);
                    break;
                case < 14:
                    if (!routes.TryGetValue(s.Who, out RouteMetrics? route)) routes.Add(s.Who, route = Attach(metrics, $"r{s.Who}"));
                    for (int i = 0; i < s.Amount; i++) route.Record((i % 5 * 100) + 100, i % 7 == 0 ? s.Who % MetricsTests.Categories.Length : 0, 1L << s.Amount);
                    requests += s.Amount;
                    break;
                default:
                    if (!pools.TryGetValue(s.Who, out PoolMetrics? pool))
                    {
                        pools.Add(s.Who, pool = metrics.Pool($"p{s.Who}"));
                        metrics.Attach(pool);
                    }
                    for (int i = 0; i < s.Amount; i++) pool.RecordAttempt(i % 3 == 0 ? s.Who % MetricsTests.Categories.Length : 0, i);
                    attempts += s.Amount;
                    break;
            }
        }
        Check();
        Check();

        void Check()
        {
            Scrape now = Scrape.Of(metrics);
            Assert.True(now.Series.Count <= metrics.MaxSeries, $"{now.Series.Count} series of {metrics.MaxSeries}");
            Assert.Equal(requests, now.Sum("gateway_requests_total"));
            Assert.Equal(requests, now.Sum("gateway_request_duration_seconds_count"));
            Assert.Equal(attempts, now.Sum("gateway_upstream_attempts_total"));
            foreach ((string series, double value) in before?.Series ?? [])
            {
                if (!series.StartsWith("gateway_", StringComparison.Ordinal)) continue;
                if (now.Series.TryGetValue(series, out double next)) Assert.True(next >= value, $"{series} went from {value} to {next}");
                else Assert.DoesNotContain("\"other\"", series);
            }
            before = now;
        }
    }

    [Fact]
    public void AHundredThousandBusyRoutes_AreScrapedInAFifthOfASecond_InLittleMemory()
    {
        GatewayMetrics metrics = new(MetricsTests.Categories);
        long start = GC.GetTotalMemory(forceFullCollection: true);
        RouteMetrics[] routes = [.. Enumerable.Range(0, 100_000).Select(i => Attach(metrics, $"route-{i}"))];
        foreach (RouteMetrics route in routes) Repeat(route, 3);
        long bytes = GC.GetTotalMemory(forceFullCollection: true) - start;
        Assert.True(bytes < 60_000_000, $"{bytes} bytes");

        TimeSpan best = TimeSpan.MaxValue;
        for (int i = 0; i < 5; i++)
        {
            foreach (RouteMetrics route in routes) Repeat(route, 1);
            TimeSpan before = ThreadTime();
            Scrape.WriteOnly(metrics);
            TimeSpan took = ThreadTime() - before;
            if (took < best) best = took;
        }
        Assert.True(best > TimeSpan.Zero && best < TimeSpan.FromMilliseconds(200), $"the best of five scrapes took {best.TotalMilliseconds} ms");
        Assert.Equal(800_000, Scrape.Of(metrics).Sum("gateway_requests_total"));
    }

    [Fact]
    public void RoutesThatComeAndGo_LeaveNoMemoryBehind_ThoughNobodyScrapes()
    {
        GatewayMetrics metrics = new(MetricsTests.Categories);
        Churn(10_000);
        // What is left behind is left behind each time, and is tens of megabytes. Other tests run beside this one in the same memory: the least of a few looks.
        long least = long.MaxValue;
        int rounds = 0;
        while (rounds++ < 5 && least >= 1_000_000)
        {
            long before = GC.GetTotalMemory(forceFullCollection: true);
            Churn(100_000);
            least = Math.Min(least, GC.GetTotalMemory(forceFullCollection: true) - before);
        }
        Assert.True(least < 1_000_000, $"{least} bytes");
        Assert.Equal(10_000 + ((rounds - 1) * 100_000), Scrape.Of(metrics)[Requests("other")]);

        void Churn(int times)
        {
            for (int i = 0; i < times; i++)
            {
                RouteMetrics route = Attach(metrics, $"r{i}");
                Repeat(route, 1);
                metrics.Detach(route);
            }
        }
    }

    /// <summary>What this thread has had of a processor, where the system tells: other tests run meanwhile.</summary>
    private static TimeSpan ThreadTime() => File.Exists("/proc/thread-self/schedstat")
        ? TimeSpan.FromMicroseconds(long.Parse(File.ReadAllText("/proc/thread-self/schedstat").Split(' ')[0], System.Globalization.CultureInfo.InvariantCulture) / 1000)
        : Stopwatch.GetElapsedTime(0);

    private static string Requests(string route) => $"gateway_requests_total{{route=\"{route}\",status_class=\"2xx\"}}";

    private static RouteMetrics Attach(GatewayMetrics metrics, string name)
    {
        RouteMetrics route = metrics.Route(name);
        metrics.Attach(route);
        return route;
    }

    private static void Repeat(RouteMetrics route, int times)
    {
        for (int i = 0; i < times; i++) route.Record(200, 0, 1000);
    }
}
