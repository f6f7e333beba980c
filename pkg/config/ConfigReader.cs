using System.Text.Json;
using Gateway.Config.Reading;
using Gateway.Config.Shapes;
using Gateway.Config.Validation;

namespace Gateway.Config;

/// <summary>How a document is read.</summary>
public sealed record ReadOptions
{
    /// <summary>Gives the value of an environment variable for <c>${env:NAME}</c>, null when it is not set. Absent: references stay unresolved.</summary>
    public Func<string, string?>? EnvironmentVariable { get; init; }

    /// <summary>Gives the text of a file for <c>${file:PATH}</c>; may throw what file access throws. Absent: references stay unresolved.</summary>
    public Func<string, string>? SecretFile { get; init; }

    /// <summary>
    /// Turns an offset in the JSON into line and column (from 1) of what the author wrote, for a document that was converted from another
    /// language. Absent: the JSON is what the author wrote.
    /// </summary>
    public Func<int, (int Line, int Column)>? Position { get; init; }

    /// <summary>Errors beyond this number are counted, not listed.</summary>
    public int MaxErrors { get; init; } = 100;
}

/// <summary>A document that was read, or everything that is wrong with it.</summary>
/// <param name="Config">The document; null when there are errors.</param>
/// <param name="Errors">In the order of the document, first those of its form, then those of its meaning.</param>
/// <param name="Warnings">What is doubtful but legal.</param>
public sealed record ReadResult(GatewayConfig? Config, IReadOnlyList<ConfigError> Errors, IReadOnlyList<ConfigError> Warnings)
{
    /// <summary>The document holds a secret itself, not only references to some: its bytes are not to be shown.</summary>
    public bool HoldsLiteralSecret { get; init; }
}

/// <summary>
/// Reads a JSON document into a <see cref="GatewayConfig"/>: strictly (no unknown fields, no duplicate keys, no comments, no trailing
/// commas, UTF-8 without a byte order mark), with all errors of form and meaning at once, and without ever throwing for what a document
/// holds. Null stands only where a field may be absent by itself, and means that. The size of the document is the caller's to bound.
/// Thread safe.
/// </summary>
public static class ConfigReader
{
    private static readonly ReadOptions DefaultOptions = new();

    /// <summary>Reads a document's form alone: what its fields mean, and whether what they refer to is there, is not looked at.</summary>
    public static ReadResult ReadForm(ReadOnlySpan<byte> utf8, ReadOptions? options = null)
    {
        var context = new ReadContext(options ?? DefaultOptions);
        GatewayConfig? config = DocumentParser.Parse(utf8, context);
        return context.Errors.Count == 0
            ? new ReadResult(config, [], []) { HoldsLiteralSecret = context.HoldsLiteralSecret }
            : new ReadResult(null, ErrorLocator.Locate(utf8, context.Errors.ToList(), context.Options.Position), []);
    }

    /// <summary>Reads and validates a document.</summary>
    public static ReadResult ReadJson(ReadOnlySpan<byte> utf8, ReadOptions? options = null)
    {
        var context = new ReadContext(options ?? DefaultOptions);
        GatewayConfig? config = DocumentParser.Parse(utf8, context);
        var findings = new Findings(context.Errors);
        if (config is not null) ConfigValidator.Validate(config, findings);
        return context.Errors.Count == 0
            ? new ReadResult(config, [], findings.Warnings) { HoldsLiteralSecret = context.HoldsLiteralSecret }
            : new ReadResult(null, ErrorLocator.Locate(utf8, context.Errors.ToList(), context.Options.Position), findings.Warnings);
    }
}
