using System.Buffers;
using System.Globalization;
using System.Text;
using Gateway.DataPlane.Obs;

namespace Gateway.DataPlane.Tests.Obs;

/// <summary>One scrape, read back: the samples by series as written, histogram parts included.</summary>
internal sealed class Scrape
{
    public required string Text { get; init; }
    public Dictionary<string, double> Series { get; } = [];

    public static Scrape Of(GatewayMetrics metrics, bool openMetrics = false)
    {
        ArrayBufferWriter<byte> output = new();
        metrics.Write(output, openMetrics);
        Scrape scrape = new() { Text = new UTF8Encoding(false, throwOnInvalidBytes: true).GetString(output.WrittenSpan) };
        foreach (string line in scrape.Text.Split('\n'))
        {
            if (line.Length == 0 || line[0] == '#') continue;
            int space = line.LastIndexOf(' ');
            // A series that is written twice is an error of its own.
            scrape.Series.Add(line[..space], double.Parse(line[(space + 1)..].Replace("+Inf", "Infinity"), CultureInfo.InvariantCulture));
        }
        return scrape;
    }

    public static int WriteOnly(GatewayMetrics metrics)
    {
        ArrayBufferWriter<byte> output = new();
        metrics.Write(output, openMetrics: false);
        return output.WrittenCount;
    }

    public double this[string series] => Series.GetValueOrDefault(series, double.NaN);

    public double Sum(string name) => Series.Where(s => s.Key.StartsWith(name + "{", StringComparison.Ordinal)).Sum(static s => s.Value);
}
