using System.Buffers;
using System.Diagnostics;
using System.Text;

namespace Gateway.DataPlane.Obs;

/// <summary>
/// All metrics of the process. Thread safe. Names are given without the prefix <c>gateway_</c>, in base units, a counter's with
/// <c>_total</c>. A metric is a line here or at its owner, and its call site.
/// </summary>
public sealed class GatewayMetrics
{
    private const string Prefix = "gateway_";

    // What is always kept for requests without a route, other routes and other pools, each with every outcome and category.
    private const int AlwaysNamed = 3 * (TrafficCounts.Outcomes + TrafficCounts.HistogramSeries + TrafficCounts.MaxCategories);

    // One scrape at a time. What is observed is read under this lock alone, because its owners take locks of their own there and call
    // Attach and Detach, which need the other, under them.
    private readonly Lock _scraping = new();
    private readonly Lock _gate = new();
    private readonly SortedDictionary<string, object> _families = new(StringComparer.Ordinal);
    private readonly StripeBudget _stripes = new();
    private readonly NamedTraffic _routes;
    private readonly NamedTraffic _pools;
    private readonly byte[][] _categories;
    private readonly long[] _noRoute = new long[TrafficCounts.Cells];
    private int _maxSeries = 20_000;

    /// <param name="categories">The labels of error categories by index; the one at 0 stands for no error and is not exported.</param>
    public GatewayMetrics(IReadOnlyList<string>? categories = null)
    {
        categories ??= [];
        ArgumentOutOfRangeException.ThrowIfGreaterThan(categories.Count, TrafficCounts.MaxCategories);
        _categories = new byte[TrafficCounts.MaxCategories][];
        for (int i = 0; i < _categories.Length; i++)
            _categories[i] = Encoding.UTF8.GetBytes(Exposition.Escape(i < categories.Count ? categories[i] : $"category_{i}"));
        _routes = new NamedTraffic(_stripes);
        _pools = new NamedTraffic(_stripes);
        NoRoute = new RouteMetrics("", _stripes);
        (string version, string revision, string runtime) = ProcessMetrics.Build();
        Gauge("build_info", "The gateway's version, its source revision and the runtime it runs on.", "version", "revision", "runtime").Set(1, version, revision, runtime);
    }

    /// <summary>For a request that no route matched, or that ended before it was matched.</summary>
    internal RouteMetrics NoRoute { get; }

    /// <summary>The most time series that <see cref="Write"/> exports (<c>metrics.maxSeries</c>). May be changed at any time.</summary>
    public int MaxSeries
    {
        get => Volatile.Read(ref _maxSeries);
        set => Volatile.Write(ref _maxSeries, value);
    }

    /// <summary>Metrics for a route. Pure: exported only once <see cref="Attach(RouteMetrics)"/> was called, so a candidate that is never published leaves no trace.</summary>
    internal RouteMetrics Route(string name) => new(name, _stripes);

    /// <inheritdoc cref="Route"/>
    internal PoolMetrics Pool(string name) => new(name, _stripes);

    /// <summary>To be called when the snapshot that brought the route is published; a second call does nothing.</summary>
    internal void Attach(RouteMetrics route)
    {
        lock (_gate)
        {
            if (route.Attached) return;
            route.Attached = true;
            route.Counts = _routes.Attach(route.Route, route.Counts);
        }
    }

    /// <summary>To be called when no snapshot has the route any more. Its counts move into <c>other</c>, as does what its last requests still record.</summary>
    internal void Detach(RouteMetrics route)
    {
        lock (_gate)
        {
            if (!route.Attached) return;
            route.Attached = false;
            route.Counts = _routes.Detach(route.Route);
        }
    }

    /// <inheritdoc cref="Attach(RouteMetrics)"/>
    internal void Attach(PoolMetrics pool)
    {
        lock (_gate)
        {
            if (pool.Attached) return;
            pool.Attached = true;
            pool.Counts = _pools.Attach(pool.Pool, pool.Counts);
        }
    }

    /// <inheritdoc cref="Detach(RouteMetrics)"/>
    internal void Detach(PoolMetrics pool)
    {
        lock (_gate)
        {
            if (!pool.Attached) return;
            pool.Attached = false;
            pool.Counts = _pools.Detach(pool.Pool);
        }
    }

    /// <summary>A counter of the control plane with a fixed, small set of label values; asking again for the same name returns the same.</summary>
    public MetricFamily Counter(string name, string help, params string[] labels)
    {
        CheckCounterName(name);
        return Family(name, help, MetricKind.Counter, labels);
    }

    /// <summary>A gauge of the control plane with a fixed, small set of label values.</summary>
    public MetricFamily Gauge(string name, string help, params string[] labels) => Family(name, help, KindOfGauge(name), labels);

    /// <summary>A histogram of seconds without labels.</summary>
    public DurationHistogram Histogram(string name, string help)
    {
        name = Full(name);
        lock (_gate)
        {
            if (_families.TryGetValue(name, out object? there))
                return there as DurationHistogram ?? throw new ArgumentException($"{name} is there as something else.", nameof(name));
            DurationHistogram histogram = new(name, help);
            _families.Add(name, histogram);
            return histogram;
        }
    }

    /// <summary>A gauge without labels that is read at each scrape, on the scraper's thread. Asking again for the same name replaces the reader.</summary>
    public void ObserveGauge(string name, string help, Func<double> read) => ObserveGauge(name, help, [], 0, r => r.Add(read()));

    /// <summary>A gauge whose series are read at each scrape. Series beyond the cap are added up with <c>other</c> as every label.</summary>
    internal void ObserveGauge(string name, string help, string[] labels, Action<GaugeReadings> read) => ObserveGauge(name, help, labels, labels.Length, read);

    /// <inheritdoc cref="ObserveGauge(string, string, string[], Action{GaugeReadings})"/>
    /// <param name="name">Without prefix.</param>
    /// <param name="help">One sentence.</param>
    /// <param name="labels">The labels' names.</param>
    /// <param name="folded">How many of the first labels become <c>other</c> beyond the cap: 1 for <c>pool</c>, <c>state</c>.</param>
    /// <param name="read">Adds the series.</param>
    internal void ObserveGauge(string name, string help, string[] labels, int folded, Action<GaugeReadings> read) =>
        Observe(name, help, KindOfGauge(name), labels, folded, read);

    /// <summary>A counter that is kept elsewhere and read at each scrape: its values never go down while they are there.</summary>
    internal void ObserveCounter(string name, string help, string[] labels, Action<GaugeReadings> read)
    {
        CheckCounterName(name);
        Observe(name, help, MetricKind.Counter, labels, labels.Length, read);
    }

    private void Observe(string name, string help, MetricKind kind, string[] labels, int folded, Action<GaugeReadings> read)
    {
        name = Full(name);
        lock (_gate)
        {
            if (_families.TryGetValue(name, out object? there) && there is not ObservedMetric) throw new ArgumentException($"{name} is there as something else.", nameof(name));
            _families[name] = new ObservedMetric(name, help, kind, labels, folded, read);
        }
    }

    /// <summary>The media type of what <see cref="Write"/> writes.</summary>
    public static string ContentType(bool openMetrics) =>
        openMetrics ? "application/openmetrics-text; version=1.0.0; charset=utf-8" : "text/plain; version=0.0.4; charset=utf-8";

    /// <summary>Whether an <c>Accept</c> field prefers OpenMetrics to the text format. Prometheus names it first when it wants it.</summary>
    public static bool PrefersOpenMetrics(string? accept)
    {
        double open = 0, text = 0;
        foreach (string part in (accept ?? "").Split(','))
        {
            string[] words = part.Split(';', StringSplitOptions.TrimEntries);
            double quality = 1;
            foreach (string word in words.AsSpan(1))
            {
                if (word.StartsWith("q=", StringComparison.OrdinalIgnoreCase))
                    quality = double.TryParse(word.AsSpan(2), System.Globalization.CultureInfo.InvariantCulture, out double q) ? q : 0;
            }
            if (words[0].Equals("application/openmetrics-text", StringComparison.OrdinalIgnoreCase)) open = Math.Max(open, quality);
            else if (words[0].Equals("text/plain", StringComparison.OrdinalIgnoreCase)) text = Math.Max(text, quality);
        }
        return open > 0 && open >= text;
    }

    /// <summary>
    /// Writes everything as Prometheus text, or as OpenMetrics. Costs some 200 ns for each route with traffic; one caller at a time, others wait.
    /// </summary>
    public void Write(IBufferWriter<byte> output, bool openMetrics)
    {
        Exposition exposition = new(output, openMetrics);
        lock (_scraping)
        {
            object[] families;
            lock (_gate) families = [.. _families.Values];
            int max = MaxSeries;
            ProcessMetrics.Write(exposition);
            foreach (object family in families)
            {
                if (family is MetricFamily fixedSeries) fixedSeries.Write(exposition);
                else if (family is DurationHistogram histogram) histogram.Write(exposition);
            }
            foreach (object family in families)
            {
                // All observed metrics together get no more than half of the series, and one of them no more than a sixteenth.
                if (family is ObservedMetric observed) observed.Write(exposition, Math.Max(1, Math.Min(max / 16, (max / 2) - exposition.Series)));
            }
            lock (_gate) WriteTraffic_NeedsLock(exposition, max);
        }
        exposition.End();
    }

    private void WriteTraffic_NeedsLock(Exposition exposition, int max)
    {
        _routes.Survey();
        _pools.Survey();
        int left = Math.Max(0, max - exposition.Series - AlwaysNamed);
        // Pools are fewer and what an operator looks for first: they may always have a quarter, and more where routes leave it.
        int pools = Math.Min(_pools.Wanted, Math.Max(left / 4, left - _routes.Wanted));
        left -= _pools.Choose(pools);
        _routes.Choose(left);
        Array.Clear(_noRoute);
        NoRoute.Counts.Read(_noRoute, take: false);

        exposition.Family("gateway_requests_total", "Requests answered, by the class of the status as the client got it.", MetricKind.Counter);
        WriteRoutes(exposition, static (_, e, label, cells) => WriteOutcomes(e, label, cells));
        exposition.Family("gateway_request_duration_seconds", "From the request's arrival to the end of the response.", MetricKind.Histogram);
        WriteRoutes(exposition, static (_, e, label, cells) => WriteHistogram(e, "route=\"", label, cells));
        exposition.Family("gateway_errors_total", "Requests that the gateway could not complete, by what was wrong.", MetricKind.Counter);
        WriteRoutes(exposition, static (m, e, label, cells) => m.WriteCategories(e, "route"u8, "category=\""u8, label, cells));
        exposition.Family("gateway_upstream_attempts_total", "Attempts at an endpoint, by how they ended: a response, or what was wrong.", MetricKind.Counter);
        WritePools(exposition, static (m, e, label, cells) =>
        {
            if (cells[0] != 0) e.Sample("pool"u8, label, "result=\"response\""u8, cells[0]);
            m.WriteCategories(e, "pool"u8, "result=\""u8, label, cells);
        });
        exposition.Family("gateway_upstream_duration_seconds", "From the start of an attempt to the head of its response.", MetricKind.Histogram);
        WritePools(exposition, static (_, e, label, cells) => WriteHistogram(e, "pool=\"", label, cells));
    }

    private delegate void CellWriter(GatewayMetrics metrics, Exposition exposition, byte[] label, long[] cells);

    private void WriteRoutes(Exposition exposition, CellWriter write)
    {
        write(this, exposition, [], _noRoute);
        foreach (NamedTraffic.Member member in _routes.Named) write(this, exposition, member.Label!, member.Cells!);
        write(this, exposition, OtherLabel, _routes.OtherCells);
    }

    private void WritePools(Exposition exposition, CellWriter write)
    {
        foreach (NamedTraffic.Member member in _pools.Named) write(this, exposition, member.Label!, member.Cells!);
        write(this, exposition, OtherLabel, _pools.OtherCells);
    }

    private static readonly byte[] OtherLabel = Encoding.ASCII.GetBytes(NamedTraffic.Other);

    private static readonly byte[][] Classes = [.. Enumerable.Range(1, TrafficCounts.Outcomes).Select(static c => Encoding.ASCII.GetBytes($"status_class=\"{c}xx\""))];

    private static void WriteOutcomes(Exposition exposition, byte[] label, long[] cells)
    {
        for (int i = 0; i < TrafficCounts.Outcomes; i++)
        {
            if (cells[i] != 0) exposition.Sample("route"u8, label, Classes[i], cells[i]);
        }
    }

    private static void WriteHistogram(Exposition exposition, string labelName, byte[] label, long[] cells)
    {
        ReadOnlySpan<long> buckets = cells.AsSpan(TrafficCounts.BucketsAt, DurationBuckets.Count);
        if (!buckets.ContainsAnyExcept(0L)) return;
        byte[] labels = [.. Encoding.ASCII.GetBytes(labelName), .. label, (byte)'"'];
        exposition.Histogram(labels, buckets, cells[TrafficCounts.SumAt] / (double)Stopwatch.Frequency);
    }

    private void WriteCategories(Exposition exposition, ReadOnlySpan<byte> name, ReadOnlySpan<byte> categoryName, byte[] label, long[] cells)
    {
        for (int i = 0; i < TrafficCounts.MaxCategories; i++)
        {
            long n = cells[TrafficCounts.CategoriesAt + i];
            if (n != 0) exposition.Sample(name, label, [.. categoryName, .. _categories[i], (byte)'"'], n);
        }
    }

    private MetricFamily Family(string name, string help, MetricKind kind, string[] labels)
    {
        name = Full(name);
        lock (_gate)
        {
            if (!_families.TryGetValue(name, out object? there))
            {
                MetricFamily family = new(name, help, kind, labels);
                _families.Add(name, family);
                return family;
            }
            if (there is MetricFamily same && same.Kind == kind && same.Labels.SequenceEqual(labels)) return same;
            throw new ArgumentException($"{name} is there as something else.", nameof(name));
        }
    }

    private static void CheckCounterName(string name)
    {
        if (!name.EndsWith("_total", StringComparison.Ordinal)) throw new ArgumentException($"A counter's name ends with _total: {name}", nameof(name));
    }

    private static MetricKind KindOfGauge(string name) => name.EndsWith("_info", StringComparison.Ordinal) ? MetricKind.Info : MetricKind.Gauge;

    private static string Full(string name) => name.StartsWith(Prefix, StringComparison.Ordinal) ? name : Prefix + name;
}
