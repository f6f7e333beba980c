using Gateway.Core.Rollout;
using Gateway.DataPlane.Obs;
using Gateway.DataPlane.Runtime;

namespace Gateway.DataPlane.Server;

/// <summary>
/// <c>variant_requests_total</c> over all canaries since the process began; there is none before the first. Requests of a canary that end
/// after the next one has begun are left out.
/// </summary>
internal sealed class VariantMetrics(GatewayMetrics metrics)
{
    // Names of canaries that are over; later ones than these are counted with the others.
    private const int MostNames = 1000;

    private readonly Lock _gate = new();
    private readonly SortedDictionary<string, (long Stable, long Canary)> _before = new(StringComparer.Ordinal);
    private CanaryCounts? _counts;

    /// <summary>A canary begins to count.</summary>
    public void Begin(CanaryCounts counts)
    {
        lock (_gate)
        {
            if (_counts is not null) Add_NeedsLock(_before, _counts);
            _counts = counts;
        }
        metrics.ObserveCounter("variant_requests_total", "Requests served while a candidate was tried beside the live configuration, by which of them served.", ["route", "variant"], Read);
    }

    private void Read(GaugeReadings readings)
    {
        SortedDictionary<string, (long Stable, long Canary)> all;
        lock (_gate)
        {
            all = new(_before, StringComparer.Ordinal);
            Add_NeedsLock(all, _counts!);
        }
        foreach ((string route, (long stable, long canary)) in all)
        {
            readings.Add(stable, route, Variants.LabelOf(Variant.Stable)!);
            readings.Add(canary, route, Variants.LabelOf(Variant.Canary)!);
        }
    }

    private static void Add_NeedsLock(SortedDictionary<string, (long Stable, long Canary)> to, CanaryCounts counts)
    {
        (RouteCounts all, List<RouteCounts> routes) = counts.Read();
        long stable = all.Stable.Requests, canary = all.Canary.Requests;
        foreach (RouteCounts route in routes)
        {
            if (route.Route == RouteCounts.NoRoute) continue;
            Add(to, route.Route, route.Stable.Requests, route.Canary.Requests);
            stable -= route.Stable.Requests;
            canary -= route.Canary.Requests;
        }
        // Those without a route, as in the other metrics.
        if (stable + canary > 0) Add(to, "", stable, canary);
    }

    private static void Add(SortedDictionary<string, (long Stable, long Canary)> to, string route, long stable, long canary)
    {
        if (to.Count >= MostNames && !to.ContainsKey(route)) route = RouteCounts.Other;
        (long Stable, long Canary) known = to.GetValueOrDefault(route);
        to[route] = (known.Stable + stable, known.Canary + canary);
    }
}
