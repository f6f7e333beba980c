using System.Text.Json;
using Gateway.Config;
using Gateway.Core.Router;
using Gateway.Core.Router.Compare;
using Gateway.DataPlane.Server;

namespace Gateway.ControlPlane.Admin;

/// <summary>A difference as <c>POST /admin/diff</c> answers it. Of long lists the beginning, and how much more there is.</summary>
internal static class DiffView
{
    private const int MostChanges = 1000;
    private const int MostFields = 100;
    private const int MostClasses = 200;
    private const int LongestValue = 1000;
    private static readonly RouteNames NoNames = new([], 0);

    internal sealed record Answer(string LiveVersion, string Version, IReadOnlyList<ObjectChange> Changes, SnapshotDifference Behaviour, ReplayReport? Replay, IReadOnlyList<ConfigError> Warnings);

    public static void Write(Utf8JsonWriter writer, Answer answer)
    {
        writer.WriteStartObject();
        writer.WriteString("liveVersion", answer.LiveVersion);
        writer.WriteString("version", answer.Version);
        writer.WriteStartArray("changes");
        foreach (ObjectChange change in answer.Changes.Take(MostChanges)) WriteChange(writer, change);
        writer.WriteEndArray();
        if (answer.Changes.Count > MostChanges) writer.WriteNumber("moreChanges", answer.Changes.Count - MostChanges);
        WriteBehaviour(writer, answer.Behaviour);
        if (answer.Replay is { } replay) WriteReplay(writer, replay);
        AdminJson.Errors(writer, "warnings", answer.Warnings);
        writer.WriteEndObject();
    }

    private static void WriteChange(Utf8JsonWriter writer, ObjectChange change)
    {
        writer.WriteStartObject();
        writer.WriteString("section", change.Section);
        if (change.Name is not null) writer.WriteString("name", change.Name);
        writer.WriteString("kind", change.Kind.ToString().ToLowerInvariant());
        writer.WriteStartArray("fields");
        foreach (FieldChange field in change.Fields.Take(MostFields))
        {
            writer.WriteStartObject();
            writer.WriteString("path", field.Path);
            if (field.Before is not null) writer.WriteString("before", Shorten(field.Before));
            if (field.After is not null) writer.WriteString("after", Shorten(field.After));
            writer.WriteEndObject();
        }
        writer.WriteEndArray();
        writer.WriteEndObject();
    }

    private static void WriteBehaviour(Utf8JsonWriter writer, SnapshotDifference difference)
    {
        writer.WriteStartObject("behaviour");
        writer.WriteBoolean("equivalent", difference.IsEquivalent);
        writer.WriteBoolean("complete", difference.Listeners.All(static l => l.IsComplete));
        writer.WriteStartArray("classes");
        int left = MostClasses;
        foreach (ListenerDifference listener in difference.Listeners)
        {
            foreach (OutcomeChange change in listener.Changes.Take(left)) WriteClass(writer, listener.Names, change);
            left -= Math.Min(left, listener.Changes.Count);
        }
        writer.WriteEndArray();
        int more = difference.Listeners.Sum(static l => l.Changes.Count) - MostClasses;
        if (more > 0) writer.WriteNumber("moreClasses", more);
        writer.WriteStartArray("undecided");
        foreach (ListenerDifference listener in difference.Listeners)
        {
            foreach (UndecidedOutcome pair in listener.Undecided)
            {
                writer.WriteStartObject();
                WriteTexts(writer, "listeners", listener.Names);
                if (pair.Before is not null) writer.WriteString("before", pair.Before);
                if (pair.After is not null) writer.WriteString("after", pair.After);
                writer.WriteString("reason", pair.Reason);
                writer.WriteEndObject();
            }
        }
        writer.WriteEndArray();
        writer.WriteStartArray("settings");
        foreach (SettingDifference setting in difference.Settings)
        {
            writer.WriteStartObject();
            writer.WriteString("what", setting.What);
            WriteTexts(writer, "listeners", setting.Listeners);
            writer.WriteEndObject();
        }
        writer.WriteEndArray();
        WriteTexts(writer, "listenersRemoved", difference.OnlyBefore);
        WriteTexts(writer, "listenersAdded", difference.OnlyAfter);
        writer.WriteEndObject();
    }

    private static void WriteClass(Utf8JsonWriter writer, IReadOnlyList<string> listeners, OutcomeChange change)
    {
        RequestConditions conditions = change.Conditions;
        writer.WriteStartObject();
        WriteTexts(writer, "listeners", listeners);
        WriteTexts(writer, "what", change.What);
        WriteOutcome(writer, "before", change.Before, change.ExceptBefore);
        WriteOutcome(writer, "after", change.After, change.ExceptAfter);
        WriteTexts(writer, "hosts", conditions.Hosts);
        if (conditions.PathKind != PathKind.Any) writer.WriteString("path", $"{(conditions.PathKind == PathKind.Exact ? "exact" : "prefix")} {(conditions.Path.Length == 0 ? "/" : conditions.Path)}");
        WriteTexts(writer, "pathPatterns", conditions.PathPatterns);
        WriteTexts(writer, "methods", conditions.Methods);
        WriteTexts(writer, "conditions", [.. conditions.Headers.Select(static h => $"header {Text(h)}"), .. conditions.Query.Select(static q => $"query {Text(q)}")]);
        writer.WriteStartObject("witness");
        writer.WriteString("method", change.Witness.Method);
        writer.WriteString("url", $"{change.Witness.Scheme}://{change.Witness.HostText}{change.Witness.Target}");
        writer.WriteStartObject("headers");
        foreach (IGrouping<string, string> header in change.Witness.Headers.GroupBy(static h => h.Key, static h => h.Value)) WriteTexts(writer, header.Key, [.. header]);
        writer.WriteEndObject();
        writer.WriteEndObject();
        writer.WriteEndObject();
    }

    private static void WriteReplay(Utf8JsonWriter writer, ReplayReport replay)
    {
        writer.WriteStartObject("replay");
        writer.WriteNumber("requests", replay.Requests);
        writer.WriteNumber("changed", replay.Changed);
        writer.WriteStartObject("byKind");
        foreach ((string kind, int count) in replay.ByKind) writer.WriteNumber(kind, count);
        writer.WriteEndObject();
        writer.WriteStartArray("examples");
        foreach (ReplayExample example in replay.Examples)
        {
            writer.WriteStartObject();
            writer.WriteString("request", example.Request);
            WriteOutcome(writer, "before", example.Before, NoNames);
            WriteOutcome(writer, "after", example.After, NoNames);
            writer.WriteNumber("count", example.Count);
            writer.WriteEndObject();
        }
        writer.WriteEndArray();
        writer.WriteEndObject();
    }

    private static void WriteOutcome(Utf8JsonWriter writer, string name, RouteOutcome? outcome, RouteNames except)
    {
        writer.WriteStartObject(name);
        if (outcome is not null) writer.WriteString("route", outcome.Route);
        if (outcome?.Pool is { } pool) writer.WriteString("pool", pool);
        if (outcome is null || outcome.Status is not null) writer.WriteNumber("status", outcome?.Status ?? 404);
        WriteTexts(writer, "except", except.Names);
        if (except.More != 0) writer.WriteNumber("moreExcept", except.More);
        writer.WriteEndObject();
    }

    private static string Text(ValueCondition condition) => condition.Kind switch
    {
        ValueConditionKind.Equals => $"{condition.Name} = {condition.Text}",
        ValueConditionKind.Regex => $"{condition.Name} ~ {condition.Text}",
        ValueConditionKind.Present => $"{condition.Name} is present",
        _ => $"{condition.Name} is absent",
    };

    private static string Shorten(string value) => value.Length <= LongestValue ? value : $"{value.AsSpan(0, LongestValue)}…";

    private static void WriteTexts(Utf8JsonWriter writer, string name, IReadOnlyList<string> texts)
    {
        writer.WriteStartArray(name);
        foreach (string text in texts) writer.WriteStringValue(text);
        writer.WriteEndArray();
    }
}
