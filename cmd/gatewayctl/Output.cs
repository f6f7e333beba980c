using System.Globalization;
using System.Text.Encodings.Web;
using System.Text.Json;
using System.Text.Json.Serialization.Metadata;
using Gateway.Config;
using Spectre.Console;

namespace Gateway.Ctl;

/// <summary>
/// What people and scripts see. Answers go to stdout; warnings and errors to stderr. With <c>--json</c> stdout is exactly one JSON value.
/// Colours only on a terminal, and not when NO_COLOR is set (no-color.org); a pipe gets whole lines, however long.
/// </summary>
internal sealed class Output
{
    private const int ShortVersion = 12;
    private const int NarrowestTerminal = 40;
    private readonly StringWriter _rendered = new(CultureInfo.InvariantCulture);
    private readonly IAnsiConsole _console;

    public Output(bool isJson)
    {
        IsJson = isJson;
        bool terminal = !Console.IsOutputRedirected;
        bool colour = terminal && string.IsNullOrEmpty(Environment.GetEnvironmentVariable("NO_COLOR")) && Environment.GetEnvironmentVariable("TERM") != "dumb";
        _console = AnsiConsole.Create(new AnsiConsoleSettings
        {
            Ansi = colour ? AnsiSupport.Yes : AnsiSupport.No,
            ColorSystem = colour ? ColorSystemSupport.Standard : ColorSystemSupport.NoColors,
            Interactive = InteractionSupport.No,
            Out = new AnsiConsoleOutput(_rendered),
        });
        _console.Profile.Width = terminal ? Math.Max(Console.WindowWidth, NarrowestTerminal) : int.MaxValue / 2;
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

    /// <summary>Columns without lines around them. A column of numbers, named with a leading <c>#</c>, is set to the right.</summary>
    public void Table(string[] columns, IEnumerable<string[]> rows)
    {
        Table table = new Table().NoBorder();
        foreach (string column in columns)
        {
            bool number = column.StartsWith('#');
            var header = new TableColumn(new Text(column.TrimStart('#'), new Style(decoration: Decoration.Bold))).PadLeft(0).PadRight(2);
            _ = table.AddColumn(number ? header.RightAligned().NoWrap() : header);
        }
        foreach (string[] row in rows) _ = table.AddRow(row.Select(cell => new Text(cell, Colour(cell))));
        _console.Write(table);
        // The renderer fills the last column with spaces; nobody wants them in a diff or a copied line.
        foreach (string line in _rendered.ToString().Split('\n', StringSplitOptions.RemoveEmptyEntries)) Console.Out.WriteLine(line.TrimEnd());
        _ = _rendered.GetStringBuilder().Clear();
    }

    private static Style Colour(string cell) => cell switch
    {
        "live" or "applied" or "yes" or "ok" => new Style(Color.Green),
        "unhealthy" or "rejected" => new Style(Color.Red),
        _ => Style.Plain,
    };
}
