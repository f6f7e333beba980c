using System.Buffers;
using System.Text.Encodings.Web;
using System.Text.Json;
using Gateway.Config;

namespace Gateway.ControlPlane.Rollout;

/// <summary>A rollout as JSON: on the disk, in the admin API and in its events alike.</summary>
internal static class RolloutJson
{
    private static readonly JsonWriterOptions Lines = new() { Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping };

    /// <summary>On one line.</summary>
    /// <param name="record">The rollout.</param>
    /// <param name="left">How long its stage goes on at least; null when it is not known or it has ended.</param>
    public static byte[] Write(RolloutRecord record, TimeSpan? left = null)
    {
        ArrayBufferWriter<byte> json = new(1024);
        using (Utf8JsonWriter writer = new(json, Lines)) Write(writer, record, left);
        return json.WrittenSpan.ToArray();
    }

    public static void Write(Utf8JsonWriter writer, RolloutRecord record, TimeSpan? left = null)
    {
        writer.WriteStartObject();
        writer.WriteString("id", record.Id);
        writer.WriteString("rollout", record.Rollout);
        writer.WriteString("version", record.Version);
        writer.WriteString("digest", record.Digest);
        if (record.BundleSequence is { } sequence) writer.WriteNumber("bundleSequence", sequence);
        if (record.From is not null) writer.WriteString("from", record.From);
        writer.WriteString("source", record.Source);
        writer.WriteString("actor", record.Actor);
        writer.WriteString("state", RolloutText.Name(record.State));
        writer.WriteString("stage", record.Stage);
        writer.WriteNumber("percent", record.Percent);
        writer.WriteNumber("stageIndex", record.StageIndex);
        writer.WriteStartArray("stages");
        foreach (RolloutStage stage in record.Stages)
        {
            writer.WriteStartObject();
            writer.WriteNumber("percent", stage.Percent);
            writer.WriteString("for", DurationText.Format(stage.For));
            writer.WriteEndObject();
        }
        writer.WriteEndArray();
        if (left is { } rest) writer.WriteNumber("leftMs", Math.Ceiling(rest.TotalMilliseconds));
        writer.WriteString("startedAt", record.StartedAt.UtcDateTime);
        if (record.EndedAt is { } ended) writer.WriteString("endedAt", ended.UtcDateTime);
        else writer.WriteNull("endedAt");
        writer.WriteString("reason", record.Reason);
        if (record.Note is not null) writer.WriteString("note", record.Note);
        if (record.Evidence is { } evidence) Evidence(writer, evidence);
        else writer.WriteNull("evidence");
        writer.WriteStartArray("traffic");
        foreach (RouteTraffic route in record.Traffic)
        {
            writer.WriteStartObject();
            writer.WriteString("route", route.Route);
            Variant(writer, "live", route.Live);
            Variant(writer, "candidate", route.Candidate);
            writer.WriteEndObject();
        }
        writer.WriteEndArray();
        if (record.Replicas.Count > 0)
        {
            writer.WriteStartArray("replicas");
            foreach (RolloutPart part in record.Replicas) Part(writer, part);
            writer.WriteEndArray();
        }
        if (record.Retry) writer.WriteBoolean("retry", true);
        writer.WriteEndObject();
    }

    /// <summary>Null for what is not such a record.</summary>
    public static RolloutRecord? Read(ReadOnlyMemory<byte> json)
    {
        try
        {
            using JsonDocument document = JsonDocument.Parse(json);
            JsonElement root = document.RootElement;
            return new RolloutRecord
            {
                Id = Text(root, "id"),
                Rollout = Text(root, "rollout"),
                Version = Text(root, "version"),
                Digest = Text(root, "digest"),
                BundleSequence = root.TryGetProperty("bundleSequence", out JsonElement sequence) ? sequence.GetInt64() : null,
                From = root.TryGetProperty("from", out JsonElement from) ? from.GetString() : null,
                Source = Text(root, "source"),
                Actor = Text(root, "actor"),
                State = RolloutText.State(Text(root, "state")) ?? throw new FormatException(),
                Stage = Text(root, "stage"),
                Percent = root.GetProperty("percent").GetDouble(),
                StageIndex = root.GetProperty("stageIndex").GetInt32(),
                Stages = [.. root.GetProperty("stages").EnumerateArray().Select(static s => new RolloutStage(s.GetProperty("percent").GetDouble(), DurationText.TryParse(Text(s, "for"), out TimeSpan time) ? time : throw new FormatException()))],
                StartedAt = root.GetProperty("startedAt").GetDateTimeOffset(),
                EndedAt = root.GetProperty("endedAt") is { ValueKind: not JsonValueKind.Null } ended ? ended.GetDateTimeOffset() : null,
                Reason = root.GetProperty("reason").GetString(),
                Note = root.TryGetProperty("note", out JsonElement note) ? note.GetString() : null,
                Evidence = root.GetProperty("evidence") is { ValueKind: not JsonValueKind.Null } evidence
                    ? new RolloutEvidence(Text(evidence, "route"), Text(evidence, "gate"), Variant(evidence, "live"), Variant(evidence, "candidate"), Text(evidence, "reason"))
                    : null,
                Traffic = [.. root.GetProperty("traffic").EnumerateArray().Select(static r => new RouteTraffic(Text(r, "route"), Variant(r, "live"), Variant(r, "candidate")))],
                Retry = root.TryGetProperty("retry", out JsonElement retry) && retry.GetBoolean(),
            };
        }
        catch (Exception e) when (e is JsonException or KeyNotFoundException or InvalidOperationException or FormatException)
        {
            return null;
        }
    }

    private static void Evidence(Utf8JsonWriter writer, RolloutEvidence evidence)
    {
        writer.WriteStartObject("evidence");
        writer.WriteString("route", evidence.Route);
        writer.WriteString("gate", evidence.Gate);
        Variant(writer, "live", evidence.Live);
        Variant(writer, "candidate", evidence.Candidate);
        writer.WriteString("reason", evidence.Reason);
        writer.WriteEndObject();
    }

    /// <summary>A replica's part of a fleet's rollout.</summary>
    public static void Part(Utf8JsonWriter writer, RolloutPart part)
    {
        writer.WriteStartObject();
        writer.WriteString("name", part.Replica);
        writer.WriteString("state", part.State);
        if (part.Reason is not null) writer.WriteString("reason", part.Reason);
        writer.WriteNumber("passed", part.Passed);
        writer.WriteNumber("percent", part.Percent);
        Variant(writer, "live", part.Live);
        Variant(writer, "candidate", part.Candidate);
        writer.WriteEndObject();
    }

    private static void Variant(Utf8JsonWriter writer, string name, VariantTraffic variant)
    {
        writer.WriteStartObject(name);
        writer.WriteNumber("requests", variant.Requests);
        writer.WriteNumber("failures", variant.Failures);
        writer.WriteNumber("failedPercent", Math.Round(variant.FailedPercent, 3));
        writer.WriteNumber("clientErrors", variant.ClientErrors);
        if (variant.Median is { } median) writer.WriteNumber("p50Ms", Math.Round(median.TotalMilliseconds, 3));
        if (variant.P95 is { } p95) writer.WriteNumber("p95Ms", Math.Round(p95.TotalMilliseconds, 3));
        writer.WriteEndObject();
    }

    private static VariantTraffic Variant(JsonElement json, string name)
    {
        JsonElement variant = json.GetProperty(name);
        return new VariantTraffic(variant.GetProperty("requests").GetInt64(), variant.GetProperty("failures").GetInt64(), Time(variant, "p95Ms"))
        {
            Median = Time(variant, "p50Ms"),
            ClientErrors = variant.TryGetProperty("clientErrors", out JsonElement errors) ? errors.GetInt64() : 0,
        };
    }

    private static TimeSpan? Time(JsonElement json, string name) => json.TryGetProperty(name, out JsonElement time) ? TimeSpan.FromMilliseconds(time.GetDouble()) : null;

    private static string Text(JsonElement json, string name) => json.GetProperty(name).GetString() ?? throw new FormatException();
}
