using System.Buffers;
using System.Buffers.Text;
using System.Text;

namespace Gateway.DataPlane.Obs;

internal enum MetricKind
{
    Counter,
    Gauge,
    Histogram,
    Info,
}

/// <summary>
/// Writes samples as Prometheus text 0.0.4 or as OpenMetrics 1.0. They differ in the name of a counter's family (without <c>_total</c> in
/// the latter), in units, in the info type and in the end mark. Counts the samples it writes.
/// </summary>
internal sealed class Exposition(IBufferWriter<byte> output, bool openMetrics)
{
    private string _name = "";

    /// <summary>Samples written so far: time series, since each is written once.</summary>
    public int Series { get; private set; }

    /// <summary>Begins a family. <paramref name="name"/> is the name of its samples, with its prefix, its unit and <c>_total</c>.</summary>
    public void Family(string name, string help, MetricKind kind)
    {
        _name = name;
        string family = name;
        if (openMetrics && kind == MetricKind.Counter) family = name[..^"_total".Length];
        if (openMetrics && kind == MetricKind.Info) family = name[..^"_info".Length];
        string type = kind switch
        {
            MetricKind.Counter => "counter",
            MetricKind.Histogram => "histogram",
            MetricKind.Info when openMetrics => "info",
            _ => "gauge",
        };
        Text("# HELP ");
        Text(family);
        Text(" ");
        Text(EscapeHelp(help));
        Text("\n# TYPE ");
        Text(family);
        Text(" ");
        Text(type);
        Text("\n");
        string? unit = family.EndsWith("_seconds", StringComparison.Ordinal) ? "seconds" : family.EndsWith("_bytes", StringComparison.Ordinal) ? "bytes" : null;
        if (!openMetrics || unit is null) return;
        Text("# UNIT ");
        Text(family);
        Text(" ");
        Text(unit);
        Text("\n");
    }

    /// <summary>A sample of the family begun last; <paramref name="labels"/> is escaped and without braces, empty for none.</summary>
    public void Sample(ReadOnlySpan<byte> labels, double value)
    {
        Head("", labels);
        Number(value);
    }

    public void Sample(ReadOnlySpan<byte> label, ReadOnlySpan<byte> value, ReadOnlySpan<byte> moreLabels, long count)
    {
        Text(_name);
        Bytes("{"u8);
        Bytes(label);
        Bytes("=\""u8);
        Bytes(value);
        Bytes("\""u8);
        if (!moreLabels.IsEmpty) Bytes(","u8);
        Bytes(moreLabels);
        Bytes("} "u8);
        Number(count);
    }

    /// <summary>A histogram of stopwatch ticks.</summary>
    /// <param name="labels">Escaped, without braces, empty for none.</param>
    /// <param name="buckets">Not cumulative.</param>
    /// <param name="sumSeconds">The sum of what was recorded.</param>
    public void Histogram(ReadOnlySpan<byte> labels, ReadOnlySpan<long> buckets, double sumSeconds)
    {
        long count = 0;
        for (int i = 0; i < buckets.Length; i++)
        {
            count += buckets[i];
            Text(_name);
            Bytes("_bucket{"u8);
            Bytes(labels);
            if (!labels.IsEmpty) Bytes(","u8);
            Bytes("le=\""u8);
            Bytes(BoundTexts[i]);
            Bytes("\"} "u8);
            Number(count);
        }
        Head("_sum", labels);
        Number(sumSeconds);
        Head("_count", labels);
        Number(count);
    }

    public void End()
    {
        if (openMetrics) Bytes("# EOF\n"u8);
    }

    /// <summary>A label value as both formats want it. Whatever is no valid UTF-16 becomes U+FFFD when it is encoded.</summary>
    public static string Escape(string value) =>
        value.AsSpan().IndexOfAny('\\', '"', '\n') < 0 ? value : value.Replace("\\", "\\\\").Replace("\"", "\\\"").Replace("\n", "\\n");

    /// <summary><c>a="x",b="y"</c> in UTF-8.</summary>
    public static byte[] Labels(ReadOnlySpan<string> names, ReadOnlySpan<string> values)
    {
        StringBuilder text = new();
        for (int i = 0; i < names.Length; i++)
        {
            if (i != 0) text.Append(',');
            text.Append(names[i]).Append("=\"").Append(Escape(values[i])).Append('"');
        }
        return Encoding.UTF8.GetBytes(text.ToString());
    }

    // A bound is a number of type float in OpenMetrics ("1.0"), and text 0.0.4 reads that as well.
    private static readonly byte[][] BoundTexts =
        [.. DurationBuckets.Bounds.Select(static b => Encoding.ASCII.GetBytes(b.ToString(b % 1 == 0 ? "0.0" : "R", System.Globalization.CultureInfo.InvariantCulture))), "+Inf"u8.ToArray()];

    private static string EscapeHelp(string help) => help.Replace("\\", "\\\\").Replace("\n", "\\n");

    private void Head(string suffix, ReadOnlySpan<byte> labels)
    {
        Text(_name);
        Text(suffix);
        if (!labels.IsEmpty)
        {
            Bytes("{"u8);
            Bytes(labels);
            Bytes("}"u8);
        }
        Bytes(" "u8);
    }

    private void Number(long value)
    {
        Series++;
        Span<byte> to = output.GetSpan(24);
        _ = Utf8Formatter.TryFormat(value, to, out int written);
        to[written] = (byte)'\n';
        output.Advance(written + 1);
    }

    private void Number(double value)
    {
        Series++;
        if (double.IsFinite(value))
        {
            Span<byte> to = output.GetSpan(40);
            _ = value.TryFormat(to, out int written, "R", System.Globalization.CultureInfo.InvariantCulture);
            output.Advance(written);
        }
        else
        {
            Text(double.IsNaN(value) ? "NaN" : value > 0 ? "+Inf" : "-Inf");
        }
        Text("\n");
    }

    private void Bytes(ReadOnlySpan<byte> bytes) => output.Write(bytes);

    private void Text(string text)
    {
        Span<byte> to = output.GetSpan(Encoding.UTF8.GetMaxByteCount(text.Length));
        output.Advance(Encoding.UTF8.GetBytes(text, to));
    }
}
