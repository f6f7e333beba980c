using System.Text.Json;
using Gateway.Config;

namespace Gateway.ControlPlane.Layers;

/// <summary>Layers as records and the admin API show them: <c>"layers": [{source, priority, merge, actor, at, digest, format}]</c>, the lowest first.</summary>
internal static class LayerJson
{
    /// <param name="covered">Layers that the live configuration is not made of; null where that is not asked.</param>
    public static void Write(Utf8JsonWriter writer, IReadOnlyList<SourceLayer> layers, Func<SourceLayer, bool>? covered = null)
    {
        writer.WriteStartArray("layers");
        foreach (SourceLayer layer in layers)
        {
            writer.WriteStartObject();
            writer.WriteString("source", layer.Source);
            writer.WriteNumber("priority", layer.Priority);
            writer.WriteString("merge", layer.Merge == MergeMode.ByName ? "byName" : "replace");
            writer.WriteString("actor", layer.Actor);
            writer.WriteString("at", layer.At.UtcDateTime);
            writer.WriteString("digest", layer.Digest);
            writer.WriteString("format", layer.Format);
            if (covered is not null) writer.WriteBoolean("covered", covered(layer));
            writer.WriteEndObject();
        }
        writer.WriteEndArray();
    }

    public static IReadOnlyList<SourceLayer> Read(JsonElement layers) =>
    [
        .. layers.EnumerateArray().Select(static l => new SourceLayer(
            l.GetProperty("source").GetString()!, l.GetProperty("actor").GetString()!, l.GetProperty("at").GetDateTimeOffset(), l.GetProperty("digest").GetString()!,
            l.GetProperty("format").GetString()!, l.GetProperty("merge").GetString() == "byName" ? MergeMode.ByName : MergeMode.Replace)),
    ];
}
