using System.Text.Json;
using Gateway.Config.Reading;

namespace Gateway.Config.Layers;

/// <summary>An object of a layer: its name and where its JSON stands.</summary>
/// <param name="Path">In the layer.</param>
internal sealed record LayerItem(string Name, bool Overridable, string Path, int Start, int Length);

/// <summary>What a layer says, section by section. Its form was read before and is right.</summary>
internal sealed class LayerContent
{
    private readonly Dictionary<string, IReadOnlyList<LayerItem>> _items = new(StringComparer.Ordinal);

    public LayerContent(int index, ConfigLayer layer, GatewayConfig config)
    {
        Index = index;
        Layer = layer;
        Config = config;
        Walk(layer.Json.Span);
    }

    /// <summary>In the order of priority, the lowest first.</summary>
    public int Index { get; }

    public ConfigLayer Layer { get; }

    public GatewayConfig Config { get; }

    /// <summary>Nothing but what every document has.</summary>
    public bool IsEmpty => _items.Count == 0;

    /// <summary>A list's items, a map's members, or the one object; null when the layer says nothing of the section.</summary>
    public IReadOnlyList<LayerItem>? Items(ConfigSection section) => _items.GetValueOrDefault(section.Name);

    private void Walk(ReadOnlySpan<byte> json)
    {
        Utf8JsonReader reader = new(json, new JsonReaderOptions { MaxDepth = int.MaxValue });
        reader.Read();
        while (reader.Read() && reader.TokenType == JsonTokenType.PropertyName)
        {
            string name = reader.GetString()!;
            reader.Read();
            if (ConfigSection.All.FirstOrDefault(s => s.Name == name) is { } section) _items.Add(name, Items(section, ref reader));
            else reader.Skip();
        }
    }

    private IReadOnlyList<LayerItem> Items(ConfigSection section, ref Utf8JsonReader reader)
    {
        if (section.Kind == SectionKind.Whole) return [Item(section.Name, section.Name, Config.Overridable, ref reader)];
        List<LayerItem> items = [];
        if (section.Kind == SectionKind.List)
        {
            IReadOnlyList<(string Name, bool Overridable)> known = section.Items(Config);
            for (int i = 0; reader.Read() && reader.TokenType != JsonTokenType.EndArray; i++)
                items.Add(Item(known[i].Name, $"{section.Name}[{i}]", Config.Overridable || known[i].Overridable, ref reader));
            return items;
        }
        while (reader.Read() && reader.TokenType == JsonTokenType.PropertyName)
        {
            string name = reader.GetString()!;
            reader.Read();
            items.Add(Item(name, PathStack.Member(section.Name, name), Config.Overridable || section.IsOverridable(Config, name), ref reader));
        }
        return items;
    }

    private static LayerItem Item(string name, string path, bool overridable, ref Utf8JsonReader reader)
    {
        int start = (int)reader.TokenStartIndex;
        reader.Skip();
        return new LayerItem(name, overridable, path, start, (int)reader.BytesConsumed - start);
    }
}
