using System.Buffers;
using System.Text.Encodings.Web;
using System.Text.Json;
using Gateway.Config.Layers;
using Gateway.Config.Reading;

namespace Gateway.Config;

/// <summary>
/// Makes one document of several, object by object by name, over every section. An object of one name in two layers, or a section that is one
/// object with another content in two, is a conflict unless the lower one is overridable. Routes, listeners and the like of a higher layer
/// come first. What the objects say is not looked at: that is for reading the merged document. Pure, deterministic; thread safe.
/// </summary>
public static class ConfigMerge
{
    private static readonly ReadOptions Form = new();

    /// <param name="layers">The lowest priority first; at least one.</param>
    /// <param name="errors">What is wrong with the form of a layer, and what they do not agree on, with the layers' names.</param>
    /// <returns>Null with errors.</returns>
    public static MergedDocument? Merge(IReadOnlyList<ConfigLayer> layers, out IReadOnlyList<ConfigError> errors)
    {
        List<ConfigError> found = [];
        List<LayerContent> contents = [];
        for (int i = 0; i < layers.Count; i++)
        {
            ReadResult read = ConfigReader.ReadForm(layers[i].Json.Span, Form with { Position = layers[i].Position });
            if (read.Config is { } config) contents.Add(new LayerContent(i, layers[i], config));
            found.AddRange(read.Errors.Select(e => e with { Message = $"{e.Message} (in {layers[i].Name})" }));
        }
        errors = found;
        if (found.Count > 0) return null;
        LayerContent[] speaking = [.. contents.Where(static c => !c.IsEmpty)];
        // One layer alone is not rewritten, so that its bytes, and what refers to them, stay.
        if (speaking.Length < 2) return Alone(layers, speaking.Length == 1 ? speaking[0] : contents[0]);
        MergedDocument merged = new MergeWriter(layers, speaking, found).Write();
        return found.Count == 0 ? merged : null;
    }

    /// <summary>How the document wants to go together with others. Replace also when it cannot be read: then reading it tells why.</summary>
    public static MergeMode ModeOf(ReadOnlySpan<byte> json) => ConfigReader.ReadForm(json, Form).Config?.Merge ?? MergeMode.Replace;

    private static MergedDocument Alone(IReadOnlyList<ConfigLayer> layers, LayerContent content) =>
        new(layers, content.Layer.Json, [.. ConfigSection.All.SelectMany(s => content.Items(s) ?? []).OrderBy(static i => i.Start).Select(i => new MergedPart(content.Index, i.Path, i.Path, i.Start, i.Start, i.Length))]);

    /// <summary>One merge.</summary>
    private sealed class MergeWriter(IReadOnlyList<ConfigLayer> layers, LayerContent[] contents, List<ConfigError> errors)
    {
        private readonly ArrayBufferWriter<byte> _json = new(contents.Sum(static c => c.Layer.Json.Length) + 256);
        private readonly List<MergedPart> _parts = [];

        public MergedDocument Write()
        {
            _json.Write("{\"version\":\"v1\""u8);
            foreach (ConfigSection section in ConfigSection.All)
            {
                LayerContent[] speaking = [.. contents.Where(c => c.Items(section) is not null)];
                if (speaking.Length == 0) continue;
                _json.Write(",\n\""u8);
                _json.Write(JsonEncodedText.Encode(section.Name).EncodedUtf8Bytes);
                _json.Write("\":"u8);
                if (section.Kind == SectionKind.Whole) Whole(section, speaking);
                else Named(section, speaking);
            }
            _json.Write("}\n"u8);
            return new MergedDocument(layers, _json.WrittenMemory.ToArray(), _parts);
        }

        private void Whole(ConfigSection section, LayerContent[] speaking)
        {
            for (int i = 1; i < speaking.Length; i++)
            {
                LayerContent lower = speaking[i - 1], higher = speaking[i];
                if (!lower.Config.Overridable && !section.Same(lower.Config, higher.Config))
                    Conflict(higher, higher.Items(section)![0], lower, lower.Items(section)![0], $"'{section.Name}' has one content in", "say the same in both, leave it out of one of them, or mark the document in", ", at its top level,");
            }
            LayerContent highest = speaking[^1];
            Copy(highest, highest.Items(section)![0], section.Name);
        }

        private void Named(ConfigSection section, LayerContent[] speaking)
        {
            bool isList = section.Kind == SectionKind.List;
            _json.Write(isList ? "["u8 : "{"u8);
            Dictionary<string, (LayerContent Content, LayerItem Item)> taken = new(StringComparer.Ordinal);
            int count = 0;
            for (int i = speaking.Length - 1; i >= 0; i--)
            {
                List<LayerItem> own = [];
                foreach (LayerItem item in speaking[i].Items(section)!)
                {
                    // The same name twice in one layer is for the reading of the merged document to tell.
                    if (!taken.TryGetValue(item.Name, out (LayerContent Content, LayerItem Item) higher)) own.Add(item);
                    else if (!item.Overridable) Conflict(higher.Content, higher.Item, speaking[i], item, $"'{item.Name}' comes from", "rename one of them, or mark the one in", "");
                }
                foreach (LayerItem item in own)
                {
                    _ = taken.TryAdd(item.Name, (speaking[i], item));
                    _json.Write(count == 0 ? "\n "u8 : ",\n "u8);
                    if (!isList) Key(item.Name);
                    Copy(speaking[i], item, isList ? $"{section.Name}[{count}]" : item.Path);
                    count++;
                }
            }
            _json.Write(isList ? "]"u8 : "}"u8);
        }

        private void Key(string name)
        {
            _json.Write("\""u8);
            _json.Write(JsonEncodedText.Encode(name, JavaScriptEncoder.UnsafeRelaxedJsonEscaping).EncodedUtf8Bytes);
            _json.Write("\":"u8);
        }

        private void Copy(LayerContent content, LayerItem item, string path)
        {
            _parts.Add(new MergedPart(content.Index, path, item.Path, _json.WrittenCount, item.Start, item.Length));
            _json.Write(content.Layer.Json.Span.Slice(item.Start, item.Length));
        }

        private void Conflict(LayerContent higher, LayerItem above, LayerContent lower, LayerItem below, string what, string fix, string where)
        {
            string place = TextPosition.Suffix(higher.Layer.Position?.Invoke(above.Start) ?? TextPosition.Of(higher.Layer.Json.Span, above.Start));
            errors.Add(new ConfigError(above.Path, ConfigErrorCodes.Conflict,
                $"{what} {higher.Layer.Name}{place} and {(where.Length > 0 ? "another in" : "from")} {lower.Layer.Name} ({below.Path} there); {fix} {lower.Layer.Name}{where} \"overridable\": true"));
        }
    }
}
