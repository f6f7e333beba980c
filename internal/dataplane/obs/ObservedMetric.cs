namespace Gateway.DataPlane.Obs;

/// <summary>Collects what a gauge or a counter reads at a scrape. What has the same labels is added up.</summary>
internal sealed class GaugeReadings
{
    private readonly Dictionary<string[], double> _values = new(LabelValues.Comparer);
    private readonly int _labels;

    public GaugeReadings(int labels) => _labels = labels;

    public IReadOnlyDictionary<string[], double> Values => _values;

    public void Add(double value, params string[] labelValues)
    {
        if (labelValues.Length != _labels) throw new ArgumentException($"This metric has {_labels} labels, not {labelValues.Length}.", nameof(labelValues));
        _values[labelValues] = _values.GetValueOrDefault(labelValues) + value;
    }
}

/// <summary>A gauge, or a counter that somebody else keeps, that is read when metrics are scraped.</summary>
internal sealed class ObservedMetric(string name, string help, MetricKind kind, string[] labels, int folded, Action<GaugeReadings> read)
{
    public string Name => name;

    /// <param name="exposition">Where to.</param>
    /// <param name="limit">The most series to write; the rest is added up with <c>other</c> as its first labels.</param>
    public void Write(Exposition exposition, int limit)
    {
        GaugeReadings readings = new(labels.Length);
        read(readings);
        exposition.Family(name, help, kind);

        Dictionary<string[], double>? rest = null;
        int left = limit;
        foreach ((string[] values, double value) in readings.Values)
        {
            if (readings.Values.Count <= limit || left-- > 0)
            {
                exposition.Sample(Exposition.Labels(labels, values), value);
                continue;
            }
            string[] other = [.. values];
            Array.Fill(other, NamedTraffic.Other, 0, folded);
            rest ??= new Dictionary<string[], double>(LabelValues.Comparer);
            rest[other] = rest.GetValueOrDefault(other) + value;
        }
        if (rest is null) return;
        foreach ((string[] values, double value) in rest) exposition.Sample(Exposition.Labels(labels, values), value);
    }
}
