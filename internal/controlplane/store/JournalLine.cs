using System.Buffers;
using System.Globalization;
using System.Numerics;
using System.Text.Json;
using Gateway.ControlPlane.Layers;

namespace Gateway.ControlPlane.Store;

/// <summary>
/// A record as a line of the journal: eight hex digits of CRC-32C over the rest, a space, a JSON object, a line feed. JSON has no raw line
/// feed, so a torn line is always the last one.
/// </summary>
internal static class JournalLine
{
    private const int ChecksumLength = 8;

    public static byte[] Write(HistoryRecord record)
    {
        ArrayBufferWriter<byte> json = new(512);
        using (Utf8JsonWriter writer = new(json))
        {
            writer.WriteStartObject();
            WriteMembers(writer, record);
            writer.WriteEndObject();
        }
        byte[] line = new byte[ChecksumLength + 1 + json.WrittenCount + 1];
        json.WrittenSpan.CopyTo(line.AsSpan(ChecksumLength + 1));
        _ = Checksum(json.WrittenSpan).TryFormat(line, out _, "x8", CultureInfo.InvariantCulture);
        line[ChecksumLength] = (byte)' ';
        line[^1] = (byte)'\n';
        return line;
    }

    /// <param name="line">Without its line feed.</param>
    public static HistoryRecord? Read(ReadOnlyMemory<byte> line)
    {
        ReadOnlySpan<byte> span = line.Span;
        if (span.Length <= ChecksumLength + 1 || span[ChecksumLength] != (byte)' ') return null;
        if (!uint.TryParse(span[..ChecksumLength], NumberStyles.AllowHexSpecifier, CultureInfo.InvariantCulture, out uint checksum)) return null;
        ReadOnlyMemory<byte> json = line[(ChecksumLength + 1)..];
        if (Checksum(json.Span) != checksum) return null;
        try
        {
            using JsonDocument document = JsonDocument.Parse(json);
            return Read(document.RootElement);
        }
        catch (Exception e) when (e is JsonException or KeyNotFoundException or InvalidOperationException or FormatException)
        {
            // The checksum holds, so this was written by a program that means something else by these fields.
            return null;
        }
    }

    /// <summary>The members of the JSON object, which the admin API shows just so.</summary>
    public static void WriteMembers(Utf8JsonWriter writer, HistoryRecord record)
    {
        writer.WriteNumber("sequence", record.Sequence);
        writer.WriteString("time", record.Time);
        WriteIfAny(writer, "version", record.Version);
        WriteIfAny(writer, "digest", record.Digest);
        writer.WriteString("format", record.Format);
        writer.WriteString("source", record.Source);
        writer.WriteString("actor", record.Actor);
        writer.WriteString("result", record.Result);
        writer.WriteNumber("durationMs", Math.Round(record.DurationMs, 3));
        WriteIfAny(writer, "detail", record.Detail);
        WriteIfAny(writer, "fileDigest", record.FileDigest);
        if (record.Target is { } target) writer.WriteNumber("target", target);
        if (record.BundleSequence is { } bundle) writer.WriteNumber("bundleSequence", bundle);
        if (record.FleetSequence is { } fleet) writer.WriteNumber("fleetSequence", fleet);
        if (record.Layers is { } layers) LayerJson.Write(writer, layers);
    }

    private static HistoryRecord Read(JsonElement json) => new()
    {
        Sequence = json.GetProperty("sequence").GetInt64(),
        Time = json.GetProperty("time").GetDateTimeOffset(),
        Version = Text(json, "version"),
        Digest = Text(json, "digest"),
        Format = json.GetProperty("format").GetString()!,
        Source = json.GetProperty("source").GetString()!,
        Actor = json.GetProperty("actor").GetString()!,
        Result = json.GetProperty("result").GetString()!,
        DurationMs = json.GetProperty("durationMs").GetDouble(),
        Detail = Text(json, "detail"),
        FileDigest = Text(json, "fileDigest"),
        Target = json.TryGetProperty("target", out JsonElement target) ? target.GetInt64() : null,
        BundleSequence = json.TryGetProperty("bundleSequence", out JsonElement bundle) ? bundle.GetInt64() : null,
        FleetSequence = json.TryGetProperty("fleetSequence", out JsonElement fleet) ? fleet.GetInt64() : null,
        Layers = json.TryGetProperty("layers", out JsonElement layers) ? LayerJson.Read(layers) : null,
    };

    private static string? Text(JsonElement json, string name) => json.TryGetProperty(name, out JsonElement value) ? value.GetString() : null;

    private static void WriteIfAny(Utf8JsonWriter writer, string name, string? value)
    {
        if (value is not null) writer.WriteString(name, value);
    }

    private static uint Checksum(ReadOnlySpan<byte> bytes)
    {
        uint crc = uint.MaxValue;
        foreach (byte b in bytes) crc = BitOperations.Crc32C(crc, b);
        return ~crc;
    }
}
