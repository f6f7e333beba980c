using Gateway.Config;
using Gateway.ControlPlane.Apply;
using Gateway.ControlPlane.Documents;
using Gateway.ControlPlane.Store;

namespace Gateway.ControlPlane.Layers;

/// <summary>From layers to the one document that is read, compiled, stored and published. Changes nothing; thread safe.</summary>
internal sealed class LayerComposer(ConfigStore store)
{
    /// <summary>The whole that comes of a document which a source brings now. A plain document where nothing is laid over it is itself the whole, and is not even looked at.</summary>
    /// <param name="errors">Why the layers do not go together; empty when they do.</param>
    public ConfigDocument Add(ConfigDocument document, ChangeOrigin origin, LayerSet live, DateTimeOffset now, out IReadOnlyList<ConfigError> errors)
    {
        errors = [];
        if (SourceLayer.PriorityOf(origin.Source) is null) return document;
        SourceLayer layer = SourceLayer.Of(document, origin, now, ModeOf(document));
        LayerSet layers = live.With(layer);
        if (layers.Effective is [var only] && only == layer) return document.With(layers);
        if (!layers.Effective.Contains(layer))
        {
            SourceLayer above = layers.Effective[0];
            errors =
            [
                new ConfigError("merge", ConfigErrorCodes.Conflict,
                    $"this document is to be laid over sources of lower priority, and {above.Name} (priority {above.Priority}) replaces the whole configuration, so it would change nothing. Remove that first (DELETE /admin/config), or give it \"merge\": \"byName\"."),
            ];
            return document;
        }
        // The bytes may be in a rented buffer.
        return Compose(live.With(layer with { Content = document.Content.ToArray() }), out errors) ?? document;
    }

    /// <summary>The whole that layers make. Null with errors.</summary>
    public ConfigDocument? Compose(LayerSet layers, out IReadOnlyList<ConfigError> errors)
    {
        IReadOnlyList<SourceLayer> effective = layers.Effective;
        try
        {
            (ReadOnlyMemory<byte> Content, ConfigLayer? Json)[] read = new (ReadOnlyMemory<byte>, ConfigLayer?)[effective.Count];
            for (int i = 0; i < read.Length; i++)
            {
                ReadOnlyMemory<byte> content = Read(effective[i]);
                read[i] = (content, AsJson(effective[i], content, out errors));
                if (read[i].Json is null) return null;
            }
            MergedDocument? merged = ConfigMerge.Merge([.. read.Select(static r => r.Json!)], out errors);
            if (merged is null) return null;
            // What one layer alone says stays in its own language, byte for byte.
            int alone = Array.FindIndex(read, r => r.Json!.Json.Equals(merged.Json));
            return alone >= 0
                ? new ConfigDocument(read[alone].Content, FormatOf(effective[alone])).With(layers)
                : new ConfigDocument(merged.Json, DocumentFormat.Json).With(layers, merged);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            errors = [new ConfigError("", ApplyLedger.StoreFailed, $"a layer cannot be read from the store: {e.Message}")];
            return null;
        }
    }

    /// <summary>The exact bytes of a layer.</summary>
    /// <exception cref="IOException">It is gone, or damaged.</exception>
    public ReadOnlyMemory<byte> Read(SourceLayer layer) =>
        layer.Content ?? store.Read(new HistoryRecord { Source = layer.Source, Result = HistoryRecord.Applied, Digest = layer.Digest, Format = layer.Format });

    public static DocumentFormat FormatOf(SourceLayer layer) => layer.Format == "yaml" ? DocumentFormat.Yaml : DocumentFormat.Json;

    public static MergeMode ModeOf(ConfigDocument document)
    {
        ReadOnlySpan<byte> content = document.Content.Span;
        // Nearly every document: one look, instead of a parse. The second is for an escape, in which the word may hide.
        if (document.Format == DocumentFormat.Json)
            return content.IndexOf("\"merge\""u8) < 0 && content.IndexOf("\\u"u8) < 0 ? MergeMode.Replace : ConfigMerge.ModeOf(content);
        if (content.IndexOf("merge"u8) < 0 && content.IndexOf("\\"u8) < 0) return MergeMode.Replace;
        return YamlReader.Convert(document.Content, out _) is { } converted ? ConfigMerge.ModeOf(converted.Json.Span) : MergeMode.Replace;
    }

    /// <summary>Each field is known and of the right kind; what they mean, only the whole can tell.</summary>
    public static bool IsInForm(ConfigDocument document) =>
        (document.Format == DocumentFormat.Yaml ? YamlReader.Convert(document.Content, out _)?.Json : document.Content) is { } json && ConfigReader.ReadForm(json.Span).Config is not null;

    private static ConfigLayer? AsJson(SourceLayer layer, ReadOnlyMemory<byte> content, out IReadOnlyList<ConfigError> errors)
    {
        errors = [];
        if (layer.Format != "yaml") return new ConfigLayer(layer.Name, content);
        if (YamlReader.Convert(content, out ConfigError? error) is { } converted) return new ConfigLayer(layer.Name, converted.Json) { Position = converted.Places.Find };
        errors = [error! with { Message = $"{error.Message} (in {layer.Name})" }];
        return null;
    }
}
