using Gateway.Config;
using Gateway.ControlPlane.Layers;
using Gateway.ControlPlane.Store;

namespace Gateway.ControlPlane.Apply;

/// <summary>How the bytes of a document are to be read.</summary>
public enum DocumentFormat
{
    Json,
    Yaml,
}

/// <summary>
/// The bytes of a configuration as they were received. The bytes may live in a rented buffer: they are read only until the apply they were
/// given to has ended.
/// </summary>
public sealed class ConfigDocument(ReadOnlyMemory<byte> content, DocumentFormat format)
{
    /// <summary>The largest document that is read: 100 000 routes are about 20 MB.</summary>
    public const int MaxBytes = 64 << 20;

    private string? _digest;

    /// <summary>A stored document of which only the name is at hand.</summary>
    internal static ConfigDocument Stored(string digest, DocumentFormat format) => new(default, format) { _digest = digest };

    /// <summary>The layers that it is made of; null when that was not asked yet, or it is no source's.</summary>
    internal LayerSet? Layers { get; private init; }

    /// <summary>Where its parts are from; null when it is one source's document.</summary>
    internal MergedDocument? Merged { get; private init; }

    /// <summary>To be taken as the whole configuration, whatever it says of merging: it was live as it is.</summary>
    internal bool IsWhole { get; private init; }

    internal ConfigDocument With(LayerSet layers, MergedDocument? merged = null) => new(Content, Format) { _digest = _digest, Layers = layers, Merged = merged, IsWhole = IsWhole };

    internal ConfigDocument AsWhole() => new(Content, Format) { _digest = _digest, Layers = Layers, Merged = Merged, IsWhole = true };

    /// <summary>The same, with bytes of its own: it may be read after the apply has ended.</summary>
    internal ConfigDocument Kept() => new(Content.ToArray(), Format) { _digest = _digest, Layers = Layers, Merged = Merged, IsWhole = IsWhole };

    public ReadOnlyMemory<byte> Content { get; } = content;

    public DocumentFormat Format { get; } = format;

    /// <summary>The format as the store names it, which is the file extension.</summary>
    public string FormatName => Format == DocumentFormat.Yaml ? "yaml" : "json";

    /// <summary>Lower-case hex SHA-256 of the bytes.</summary>
    public string Digest => _digest ??= ConfigStore.DigestOf(Content.Span);

    /// <summary>By the file's extension: <c>.yaml</c> and <c>.yml</c> are YAML, all else is JSON.</summary>
    public static DocumentFormat FormatOfFile(string path) =>
        Path.GetExtension(path).ToLowerInvariant() is ".yaml" or ".yml" ? DocumentFormat.Yaml : DocumentFormat.Json;

    public static ConfigDocument Of(HistoryRecord record, byte[] content) =>
        new(content, record.Format == "yaml" ? DocumentFormat.Yaml : DocumentFormat.Json);
}
