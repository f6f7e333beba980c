using System.Globalization;
using System.Text.Encodings.Web;
using System.Text.Json;
using System.Text.Json.Serialization.Metadata;
using Gateway.Config;

namespace Gateway.Ctl;

/// <summary>
/// What people and scripts see. Answers go to stdout; warnings and errors to stderr. With <c>--json</c> stdout is exactly one JSON value.
/// Colours only on a terminal, and not when NO_COLOR is set (no-color.org); a pipe gets whole lines, however long.
/// </summary>
internal sealed class Output
{
    private const int ShortVersion = 12;
    private const string Bold = "\e[1m", Green = "\e[32m", Red = "\e[31m", Plain = "\e[0m";
    private readonly bool _isTerminal = !Console.IsOutputRedirected;
    private readonly bool _hasColours;

    public Output(bool isJson)
    {
        IsJson = isJson;
        _hasColours = _isTerminal && string.IsNullOrEmpty(Environment.GetEnvironmentVariable("NO_COLOR")) && Environment.GetEnvironmentVariable("TERM") != "dumb";
    }

    public bool IsJson { get; }

    public static string Short(string version) => version.Length > ShortVersion ? version[..ShortVersion] : version;

    public static string Time(DateTimeOffset time) => time.UtcDateTime.ToString("yyyy-MM-dd HH:mm:ss'Z'", CultureInfo.InvariantCulture);

    public static string Milliseconds(double value) => value.ToString("0.0", CultureInfo.InvariantCulture) + " ms";

    /// <summary>Prints <paramref name="value"/> when JSON was asked for. True when it did, and there is nothing more to print.</summary>
    public bool Json<T>(T value, JsonTypeInfo<T> type)
    {
        if (!IsJson) return false;
        using Stream stdout = Console.OpenStandardOutput();
        using (var writer = new Utf8JsonWriter(stdout, new JsonWriterOptions { Indented = true, Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping }))
            JsonSerializer.Serialize(writer, value, type);
        stdout.WriteByte((byte)'\n');
        return true;
    }

    public void Line(string text) => Console.Out.WriteLine(text);

    public void Warn(IReadOnlyList<ConfigError> warnings)
    {
        if (IsJson) return;
        foreach (ConfigError warning in warnings) Console.Error.WriteLine($"warning: {warning}");
    }

    public void Error(string message) => Console.Error.WriteLine($"gatewayctl: {message}");

    /// <summary>Whether somebody looks on, so that lines may be written anew.</summary>
    public bool IsLive => _isTerminal && !IsJson;

    /// <summary>The text, cut so that it takes one line of the terminal.</summary>
    public string OneLine(string text) => _isTerminal && Console.WindowWidth is > 1 and var width && text.Length >= width ? string.Concat(text.AsSpan(0, width - 2), "…") : text;

    /// <summary>Takes back the last lines, on a terminal.</summary>
    public static void Erase(int lines)
    {
        if (lines > 0) Console.Out.Write($"\e[{lines.ToString(CultureInfo.InvariantCulture)}A\e[J");
    }

    /// <summary>Prints a <see cref="TextTable"/> that fits the terminal.</summary>
    public void Table(string[] columns, IEnumerable<string[]> rows)
    {
        int? width = _isTerminal && Console.WindowWidth > 0 ? Console.WindowWidth : null;
        foreach (string line in new TextTable(columns, [.. rows], width).Lines(_hasColours ? Coloured : static (_, cell) => cell)) Console.Out.WriteLine(line);
    }

    private static string Coloured(string kind, string cell) => kind switch
    {
        "header" => Bold + cell + Plain,
        "live" or "applied" or "ok" or "healthy" or "promoted" => Green + cell + Plain,
        "unhealthy" or "ejected" or "ejected, unhealthy" or "panic" or "rejected" or "returned" or "refused" => Red + cell + Plain,
        _ => cell,
    };
}
