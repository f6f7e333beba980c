using System.Globalization;

namespace Gateway.TestKit;

/// <summary>A scrape of Prometheus text: each sample line by its name and labels as written.</summary>
public sealed class MetricSamples(string text, IReadOnlyDictionary<string, double> samples)
{
    public string Text { get; } = text;

    public IReadOnlyDictionary<string, double> Samples { get; } = samples;

    public static MetricSamples Parse(string text)
    {
        var samples = new Dictionary<string, double>();
        foreach (string line in text.Split('\n'))
        {
            if (line.Length == 0 || line[0] == '#') continue;
            int end = line.LastIndexOf('}');
            int space = line.IndexOf(' ', end < 0 ? 0 : end);
            string number = line[(space + 1)..].Split(' ')[0];
            samples[line[..space]] = number switch
            {
                "+Inf" => double.PositiveInfinity,
                "-Inf" => double.NegativeInfinity,
                _ => double.Parse(number, CultureInfo.InvariantCulture),
            };
        }
        return new MetricSamples(text, samples);
    }

    /// <summary>The sum of the samples of that name whose labels contain all of these, such as <c>route="shop"</c>; 0 when there is none.</summary>
    public double Sum(string name, params string[] labels) =>
        Samples.Where(s => NameOf(s.Key) == name && labels.All(l => s.Key.Contains(l, StringComparison.Ordinal))).Sum(s => s.Value);

    public bool Has(string name) => Samples.Keys.Any(k => NameOf(k) == name);

    private static string NameOf(string key) => key.Split('{')[0];
}
