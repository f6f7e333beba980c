using Gateway.TestKit;

namespace Gateway.Bench.Soak;

/// <summary>The gateway's process at one moment of the soak.</summary>
internal sealed record Sample(string Moment, TimeSpan At, long Actions, double ResidentMb, double HeapMb, int Descriptors, int Threads)
{
    public static async Task<Sample> TakeAsync(string moment, TimeSpan at, long actions, GatewayProcess gateway)
    {
        // First the scrape: its connection is there in every sample alike.
        double heap = (await gateway.MetricsAsync()).Sum("dotnet_gc_heap_bytes");
        int threads = Directory.GetDirectories($"/proc/{gateway.ProcessId}/task").Length;
        return new Sample(moment, at, actions, gateway.Rss / 1048576.0, heap / 1048576.0, gateway.Descriptors, threads);
    }
}

/// <summary>Whether a figure that is sampled every second is flat: by how much a straight line through the samples rises over their time (least squares).</summary>
internal sealed record Trend(string Figure, double Mean, double Rise, double Tolerance)
{
    public bool IsFlat => Rise <= Tolerance;

    public static Trend Of(string figure, IReadOnlyList<Sample> samples, Func<Sample, double> value, double tolerance)
    {
        double meanX = samples.Average(static s => s.At.TotalSeconds), meanY = samples.Average(value);
        double above = samples.Sum(s => (s.At.TotalSeconds - meanX) * (value(s) - meanY)), below = samples.Sum(s => Math.Pow(s.At.TotalSeconds - meanX, 2));
        double slope = below == 0 ? 0 : above / below;
        return new Trend(figure, meanY, slope * (samples[^1].At - samples[0].At).TotalSeconds, tolerance);
    }
}
