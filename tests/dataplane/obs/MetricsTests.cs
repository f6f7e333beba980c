using System.Diagnostics;
using Gateway.DataPlane.Obs;
using Gateway.DataPlane.Runtime;
using Xunit;

namespace Gateway.DataPlane.Tests.Obs;

public sealed class MetricsTests
{
    private static readonly long Millisecond = Stopwatch.Frequency / 1000;

    internal static readonly string[] Categories = [.. Enum.GetValues<ErrorCategory>().Select(static c => ErrorCategories.Of(c).Label)];

    [Fact]
    public void ARequest_IsCountedByRouteAndClass_TimedAndItsErrorNamed()
    {
        GatewayMetrics metrics = new(Categories);
        RouteMetrics shop = metrics.Route("shop");
        metrics.Attach(shop);
        shop.Record(204, 0, 3 * Millisecond);
        shop.Record(502, (int)ErrorCategory.UpstreamReset, 2000 * Millisecond);
        metrics.NoRoute.Record(404, (int)ErrorCategory.NoRoute, 1);

        Scrape scrape = Scrape.Of(metrics);

        Assert.Equal(1, scrape["gateway_requests_total{route=\"shop\",status_class=\"2xx\"}"]);
        Assert.Equal(1, scrape["gateway_requests_total{route=\"shop\",status_class=\"5xx\"}"]);
        Assert.Equal(1, scrape["gateway_requests_total{route=\"\",status_class=\"4xx\"}"]);
        Assert.Equal(1, scrape["gateway_errors_total{route=\"shop\",category=\"upstream_reset\"}"]);
        Assert.Equal(1, scrape["gateway_errors_total{route=\"\",category=\"no_route\"}"]);
        Assert.Equal(0, scrape["gateway_request_duration_seconds_bucket{route=\"shop\",le=\"0.0025\"}"]);
        Assert.Equal(1, scrape["gateway_request_duration_seconds_bucket{route=\"shop\",le=\"0.005\"}"]);
        Assert.Equal(2, scrape["gateway_request_duration_seconds_bucket{route=\"shop\",le=\"+Inf\"}"]);
        Assert.Equal(2, scrape["gateway_request_duration_seconds_count{route=\"shop\"}"]);
        Assert.Equal(2.003, scrape["gateway_request_duration_seconds_sum{route=\"shop\"}"], 6);
    }

    [Fact]
    public void AnAttempt_IsCountedByResult_AndTimedWhenItHadAResponse()
    {
        GatewayMetrics metrics = new(Categories);
        PoolMetrics pool = metrics.Pool("p");
        metrics.Attach(pool);
        pool.RecordAttempt(0, Millisecond);
        pool.RecordAttempt((int)ErrorCategory.UpstreamConnectFailed, 100 * Millisecond);

        Scrape scrape = Scrape.Of(metrics);

        Assert.Equal(1, scrape["gateway_upstream_attempts_total{pool=\"p\",result=\"response\"}"]);
        Assert.Equal(1, scrape["gateway_upstream_attempts_total{pool=\"p\",result=\"upstream_connect_failed\"}"]);
        Assert.Equal(1, scrape["gateway_upstream_duration_seconds_count{pool=\"p\"}"]);
    }

    [Theory]
    [InlineData(0, 4)]
    [InlineData(99, 4)]
    [InlineData(101, 0)]
    [InlineData(499, 3)]
    [InlineData(600, 4)]
    [InlineData(-1, 4)]
    public void AStatus_FallsIntoItsClass_AndWhatIsNoneIntoTheLast(int status, int outcome)
    {
        RouteMetrics route = new("r");
        route.Record(status, 0, 1);
        long[] cells = new long[TrafficCounts.Cells];
        route.Counts.Read(cells, take: false);
        Assert.Equal(1, cells[outcome]);
    }

    [Fact]
    public void EveryDuration_FallsIntoTheFirstBucketWhoseBoundIsNotBelowIt()
    {
        long[] bounds = [.. DurationBuckets.Bounds.Select(static b => (long)Math.Round(b * Stopwatch.Frequency))];
        Random random = new(1);
        IEnumerable<long> edges = bounds.SelectMany(static b => new[] { b - 1, b, b + 1 });
        IEnumerable<long> any = Enumerable.Range(0, 10_000).Select(_ => (long)Math.Exp(random.NextDouble() * 43));
        IEnumerable<long> powers = Enumerable.Range(0, 63).SelectMany(static b => new[] { (1L << b) - 1, 1L << b });
        foreach (long ticks in edges.Concat(any).Concat(powers).Append(0).Append(-5).Append(long.MaxValue))
        {
            int expected = bounds.TakeWhile(b => b < ticks).Count();
            Assert.True(expected == DurationBuckets.IndexOf(ticks), $"{ticks} ticks: bucket {DurationBuckets.IndexOf(ticks)}, not {expected}");
        }
    }

    [Fact]
    public void Recording_AllocatesNothingAfterTheFirstTime()
    {
        GatewayMetrics metrics = new(Categories);
        RouteMetrics route = metrics.Route("r");
        PoolMetrics pool = metrics.Pool("p");
        for (int i = 0; i < 100_000; i++) RecordOne();
        long before = GC.GetAllocatedBytesForCurrentThread();
        for (int i = 0; i < 10_000; i++) RecordOne();
        Assert.Equal(0, GC.GetAllocatedBytesForCurrentThread() - before);

        void RecordOne()
        {
            route.Record(200, 0, 12345);
            route.Record(503, (int)ErrorCategory.NoEndpoint, 12345);
            pool.RecordAttempt(0, 999);
            pool.RecordAttempt((int)ErrorCategory.UpstreamTimeout, 999);
        }
    }

    [Fact]
    public async Task EightThreads_AreCountedExactly_WhileScrapesPromoteAndFold()
    {
        const int PerThread = 100_000;
        GatewayMetrics metrics = new(Categories) { MaxSeries = 1000 };
        RouteMetrics[] routes = [.. Enumerable.Range(0, 100).Select(i => metrics.Route($"r{i}"))];
        foreach (RouteMetrics route in routes) metrics.Attach(route);

        Task[] recorders = [.. Enumerable.Range(0, 8).Select(seed => Task.Run(() =>
        {
            Random random = new(seed);
            // A few routes get nearly everything, so that they are striped while they are read.
            for (int i = 0; i < PerThread; i++)
                routes[(int)(100 * Math.Pow(random.NextDouble(), 6))].Record(200, i % 10 == 0 ? 5 : 0, i);
        }))];
        Task all = Task.WhenAll(recorders);
        while (!all.IsCompleted) _ = Scrape.Of(metrics);
        await all;
        Scrape scrape = Scrape.Of(metrics);

        Assert.Equal(8 * PerThread, scrape.Sum("gateway_requests_total"));
        Assert.Equal(8 * PerThread, scrape.Sum("gateway_request_duration_seconds_count"));
        Assert.Equal(8 * PerThread / 10, scrape.Sum("gateway_errors_total"));
        Assert.True(scrape.Series.Count <= 1000);
    }

    [Fact]
    public async Task CountsThatAreTakenWhileTheyGrow_LoseNothing()
    {
        RouteMetrics route = new("r");
        long[] taken = new long[TrafficCounts.Cells];
        bool enough = false;
        Task<long[]> recorders = Task.WhenAll(Enumerable.Range(0, 2).Select(_ => Task.Run(() =>
        {
            long n = 0;
            for (; !Volatile.Read(ref enough); n++) route.Record(200, 0, 1);
            return n;
        })));
        // So often, because the moment in which a count could be lost is that short.
        for (int i = 0; i < 2_000_000; i++) route.Counts.Read(taken, take: true);
        Volatile.Write(ref enough, true);
        long recorded = (await recorders).Sum();
        route.Counts.Read(taken, take: true);
        Assert.Equal(recorded, taken[1]);
        Assert.Equal(recorded, taken[TrafficCounts.BucketsAt]);
        Assert.Equal(recorded, taken[TrafficCounts.SumAt]);
    }

    [Fact]
    public void ACandidateThatIsNeverPublished_LeavesNoTrace()
    {
        GatewayMetrics metrics = new(Categories);
        metrics.Route("candidate").Record(200, 0, 1);
        metrics.Pool("candidate").RecordAttempt(0, 1);
        Assert.DoesNotContain("candidate", Scrape.Of(metrics).Text);
    }

    [Fact]
    public void ALabelValue_IsEscaped()
    {
        GatewayMetrics metrics = new(Categories);
        RouteMetrics route = metrics.Route("a\"b\\c\nd\ud800é");
        metrics.Attach(route);
        route.Record(200, 0, 1);
        metrics.Gauge("weird", "A label of the control plane.", "x").Set(1, "\"\n");
        Scrape scrape = Scrape.Of(metrics);
        Assert.Equal(1, scrape["gateway_requests_total{route=\"a\\\"b\\\\c\\nd\ufffdé\",status_class=\"2xx\"}"]);
        Assert.Equal(1, scrape["gateway_weird{x=\"\\\"\\n\"}"]);
    }

    [Fact]
    public void AFamily_IsTheSameWhenAskedForAgain_AndRefusesOtherLabels()
    {
        GatewayMetrics metrics = new();
        MetricFamily family = metrics.Counter("applies_total", "Applies.", "result");
        Assert.Same(family, metrics.Counter("gateway_applies_total", "Applies.", "result"));
        Assert.Throws<ArgumentException>(() => metrics.Counter("applies_total", "Applies.", "source"));
        Assert.Throws<ArgumentException>(() => metrics.Gauge("applies_total", "Applies.", "result"));
        Assert.Throws<ArgumentException>(() => metrics.Histogram("applies_total", "Applies."));
        Assert.Throws<ArgumentException>(() => metrics.Counter("applies", "Applies."));
        Assert.Throws<ArgumentException>(() => family.Add(1, "a", "b"));
    }

    [Fact]
    public void AFamilyWithEverNewLabels_StopsAtAThousand()
    {
        GatewayMetrics metrics = new();
        MetricFamily family = metrics.Counter("seen_total", "Seen.", "what");
        for (int i = 0; i < 5000; i++) family.Add(1, $"v{i}");
        Scrape scrape = Scrape.Of(metrics);
        Assert.Equal(5000, scrape.Sum("gateway_seen_total"));
        Assert.Equal(4000, scrape["gateway_seen_total{what=\"other\"}"]);
    }

    [Fact]
    public void AnInfoMetric_HasOneSeries_WhateverItsLabelsWere()
    {
        GatewayMetrics metrics = new();
        MetricFamily info = metrics.Gauge("config_info", "The live configuration.", "version", "source");
        info.SetOnly(1, "a", "file");
        info.SetOnly(1, "b", "admin");
        Scrape scrape = Scrape.Of(metrics);
        Assert.Equal(1, scrape.Sum("gateway_config_info"));
        Assert.Equal(1, scrape["gateway_config_info{version=\"b\",source=\"admin\"}"]);
    }

    [Fact]
    public void AnObservedGauge_IsReadAtTheScrape_AndFoldsBeyondItsShare()
    {
        double value = 1;
        GatewayMetrics metrics = new() { MaxSeries = 1600 };
        metrics.ObserveGauge("requests_in_flight", "Requests in flight.", () => value);
        metrics.ObserveGauge("upstream_connections", "Open connections.", ["pool", "state"], folded: 1, readings =>
        {
            for (int i = 0; i < 1000; i++)
            {
                readings.Add(1, $"p{i}", "idle");
                readings.Add(2, $"p{i}", "active");
            }
        });
        Assert.Equal(1, Scrape.Of(metrics)["gateway_requests_in_flight"]);
        value = 7;
        Scrape scrape = Scrape.Of(metrics);
        Assert.Equal(7, scrape["gateway_requests_in_flight"]);
        Assert.Equal(3000, scrape.Sum("gateway_upstream_connections"));
        Assert.Equal(950, scrape["gateway_upstream_connections{pool=\"other\",state=\"idle\"}"]);
        Assert.Equal(1900, scrape["gateway_upstream_connections{pool=\"other\",state=\"active\"}"]);
    }

    [Fact]
    public async Task ARoute_IsAttachedWhileAnObservedMetricIsRead()
    {
        // As when a reader waits for a lock whose holder attaches the routes of a snapshot.
        GatewayMetrics metrics = new();
        using ManualResetEventSlim reading = new(), attached = new();
        metrics.ObserveGauge("slow", "Slow.", () =>
        {
            reading.Set();
            return attached.Wait(TimeSpan.FromSeconds(20)) ? 1 : 0;
        });
        Task<Scrape> scrape = Task.Run(() => Scrape.Of(metrics));
        await Task.Run(() =>
        {
            reading.Wait();
            RouteMetrics route = metrics.Route("r");
            metrics.Attach(route);
            metrics.Detach(route);
            attached.Set();
        });
        Assert.Equal(1, (await scrape)["gateway_slow"]);
    }

    [Theory]
    [InlineData(null, false)]
    [InlineData("*/*", false)]
    [InlineData("text/plain", false)]
    [InlineData("application/openmetrics-text", true)]
    [InlineData("application/openmetrics-text;version=1.0.0;q=0.5,text/plain;version=0.0.4;q=0.3,*/*;q=0.1", true)]
    [InlineData("application/openmetrics-text;q=0.2, text/plain;q=0.9", false)]
    [InlineData("application/openmetrics-text;q=0", false)]
    public void TheFormat_FollowsAccept(string? accept, bool openMetrics) => Assert.Equal(openMetrics, GatewayMetrics.PrefersOpenMetrics(accept));
}
