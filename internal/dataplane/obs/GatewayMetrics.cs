using System.Buffers;

namespace Gateway.DataPlane.Obs;

/// <summary>All metrics of the process. Thread safe.</summary>
public sealed class GatewayMetrics
{
    /// <summary>A counter of the control plane with a fixed, small set of label values; asking again for the same name returns the same.</summary>
    public MetricFamily Counter(string name, string help, params string[] labels) => throw new NotImplementedException();

    /// <summary>A gauge of the control plane with a fixed, small set of label values.</summary>
    public MetricFamily Gauge(string name, string help, params string[] labels) => throw new NotImplementedException();

    /// <summary>A histogram of seconds without labels.</summary>
    public DurationHistogram Histogram(string name, string help) => throw new NotImplementedException();

    /// <summary>Writes everything as Prometheus text, or as OpenMetrics.</summary>
    public void Write(IBufferWriter<byte> output, bool openMetrics) => throw new NotImplementedException();
}

/// <summary>A counter or a gauge with labels. Thread safe.</summary>
public sealed class MetricFamily
{
    public void Add(double value, params string[] labelValues) => throw new NotImplementedException();

    public void Set(double value, params string[] labelValues) => throw new NotImplementedException();

    /// <summary>Forgets every series, for an info metric whose labels change.</summary>
    public void Clear() => throw new NotImplementedException();
}

/// <summary>A histogram of durations in seconds. Thread safe.</summary>
public sealed class DurationHistogram
{
    public void Record(TimeSpan duration) => throw new NotImplementedException();
}
