using System.Globalization;

namespace Gateway.Bench.Load;

/// <summary>Options of the command line, as <c>--name value</c>.</summary>
internal sealed class Arguments(string[] args)
{
    public string? Text(string name) => args.SkipWhile(a => a != name).Skip(1).FirstOrDefault();

    public int Number(string name, int otherwise) => Text(name) is { } text ? int.Parse(text, CultureInfo.InvariantCulture) : otherwise;

    /// <summary>Into the file that <c>--output</c> names, else to standard output.</summary>
    public void Publish(string report)
    {
        if (Text("--output") is { } file) File.WriteAllText(file, report);
        else Console.WriteLine(report);
    }
}
