using Gateway.Config.Reading;

namespace Gateway.Config;

/// <summary>One document made of several, and where each part of it is from. Immutable, thread safe.</summary>
public sealed class MergedDocument
{
    private readonly IReadOnlyList<ConfigLayer> _layers;
    private readonly IReadOnlyList<MergedPart> _parts;

    internal MergedDocument(IReadOnlyList<ConfigLayer> layers, ReadOnlyMemory<byte> json, IReadOnlyList<MergedPart> parts)
    {
        _layers = layers;
        _parts = parts;
        Json = json;
    }

    /// <summary>The whole document. Where only one layer says anything, that layer's bytes as they are.</summary>
    public ReadOnlyMemory<byte> Json { get; }

    /// <summary>For <see cref="ReadOptions.Position"/>: the line and column, in the layer that wrote it, of an offset in <see cref="Json"/>.</summary>
    public (int Line, int Column) Position(int offset)
    {
        MergedPart? part = null;
        foreach (MergedPart one in _parts)
        {
            if (one.Start > offset) break;
            part = one;
        }
        if (part is null) return (1, 1);
        ConfigLayer layer = _layers[part.Layer];
        int within = part.LayerStart + Math.Clamp(offset - part.Start, 0, part.Length);
        return layer.Position?.Invoke(within) ?? TextPosition.Of(layer.Json.Span, within);
    }

    /// <summary>The error with the layer, and the place there, that it comes from; as it is when it is of no one layer.</summary>
    public ConfigError Named(ConfigError error)
    {
        foreach (MergedPart part in _parts)
        {
            if (!IsWithin(error.Path, part.Path)) continue;
            string there = part.LayerPath + error.Path[part.Path.Length..];
            return error with { Message = $"{error.Message} (in {_layers[part.Layer].Name}{(there == error.Path ? "" : $": {there}")})" };
        }
        return error;
    }

    private static bool IsWithin(string path, string part) =>
        part.Length > 0 && path.StartsWith(part, StringComparison.Ordinal) && (path.Length == part.Length || path[part.Length] is '.' or '[');
}

/// <summary>A part of a merged document that was taken over from a layer byte for byte.</summary>
/// <param name="Path">In the merged document.</param>
/// <param name="LayerPath">In the layer.</param>
/// <param name="Start">Its first byte in the merged document.</param>
/// <param name="LayerStart">Its first byte in the layer.</param>
internal sealed record MergedPart(int Layer, string Path, string LayerPath, int Start, int LayerStart, int Length);
