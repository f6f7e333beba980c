using System.Text.Json;
using Gateway.Config;
using Gateway.Core.Router;
using Gateway.DataPlane.Server;

namespace Gateway.ControlPlane.Admin;

/// <summary>An explanation as <c>POST /admin/explain</c> answers it.</summary>
internal static class ExplanationView
{
    public static void Write(Utf8JsonWriter writer, Explanation explanation)
    {
        writer.WriteStartObject();
        writer.WriteString("version", explanation.Version);
        writer.WriteString("listener", explanation.Listener);
        writer.WriteString("listenerReason", explanation.ListenerReason);
        writer.WriteString("path", explanation.Choice.Path);
        if (explanation.Choice.OtherReading is { } other) writer.WriteString("otherReading", other);
        if (explanation.Choice.TwoReadings) writer.WriteBoolean("twoReadings", true);
        if (explanation.Variant is { } variant) WriteVariant(writer, variant);
        if (explanation.Route is { } route) writer.WriteString("route", route);
        if (explanation.Category is { } category) writer.WriteString("category", category);
        if (explanation.Status is { } status) writer.WriteNumber("status", status);
        WriteHeaders(writer, explanation.Headers);
        WriteCandidates(writer, explanation.Choice);
        writer.WriteStartArray("filters");
        foreach (ExplainedFilter filter in explanation.Filters)
        {
            writer.WriteStartObject();
            writer.WriteString("name", filter.Name);
            writer.WriteString("effect", filter.Effect);
            writer.WriteEndObject();
        }
        writer.WriteEndArray();
        if (explanation.Pool is { } pool)
        {
            writer.WritePropertyName("pool");
            PoolView.Write(writer, pool);
        }
        if (explanation.State is { } state)
        {
            writer.WriteStartObject("state");
            RouteStateView.WriteMembers(writer, state);
            writer.WriteEndObject();
        }
        if (explanation.Limits is { } limits) WriteLimits(writer, limits);
        if (explanation.ClientIsTrustedProxy is { } trusted) writer.WriteBoolean("clientIsTrustedProxy", trusted);
        writer.WriteEndObject();
    }

    private static void WriteVariant(Utf8JsonWriter writer, ExplainedVariant variant)
    {
        writer.WriteString("variant", variant.Variant);
        writer.WriteStartObject("canary");
        if (variant.Bucket is { } bucket) writer.WriteNumber("bucket", bucket);
        writer.WriteNumber("percent", variant.Percent);
        writer.WriteEndObject();
    }

    private static void WriteHeaders(Utf8JsonWriter writer, IReadOnlyList<KeyValuePair<string, string>> headers)
    {
        writer.WriteStartObject("headers");
        foreach (KeyValuePair<string, string> header in headers) writer.WriteString(header.Key, header.Value);
        writer.WriteEndObject();
    }

    private static void WriteCandidates(Utf8JsonWriter writer, RouteExplanation choice)
    {
        writer.WriteStartArray("candidates");
        foreach (RouteCandidate candidate in choice.Candidates)
        {
            writer.WriteStartObject();
            writer.WriteString("route", candidate.Name);
            writer.WriteString("verdict", Word(candidate.Verdict));
            writer.WriteString("reason", candidate.Reason);
            writer.WriteEndObject();
        }
        writer.WriteEndArray();
        writer.WriteNumber("routes", choice.Routes);
    }

    private static void WriteLimits(Utf8JsonWriter writer, ExplainedLimits limits)
    {
        writer.WriteStartObject("limits");
        writer.WriteNumber("urlBytes", limits.UrlBytes);
        writer.WriteNumber("headerCount", limits.HeaderCount);
        writer.WriteNumber("headerBytes", limits.HeaderBytes);
        writer.WriteNumber("bodyBytes", limits.BodyBytes);
        writer.WriteNumber("connections", limits.Connections);
        writer.WriteNumber("connectionsPerAddress", limits.ConnectionsPerAddress);
        WriteRate(writer, "connectionRatePerAddress", limits.ConnectionRatePerAddress);
        WriteRate(writer, "requestRatePerAddress", limits.RequestRatePerAddress);
        writer.WriteEndObject();
        writer.WriteStartObject("timeouts");
        if (limits.RequestTimeout is { } request) writer.WriteString("request", DurationText.Format(request));
        if (limits.AttemptTimeout is { } attempt) writer.WriteString("attempt", DurationText.Format(attempt));
        if (limits.IdleTimeout is { } idle) writer.WriteString("idle", DurationText.Format(idle));
        writer.WriteEndObject();
    }

    private static void WriteRate(Utf8JsonWriter writer, string name, ExplainedRate? rate)
    {
        if (rate is null) return;
        writer.WriteStartObject(name);
        writer.WriteNumber("perSecond", rate.PerSecond);
        writer.WriteNumber("burst", rate.Burst);
        writer.WriteEndObject();
    }

    private static string Word(RouteVerdict verdict) => verdict switch
    {
        RouteVerdict.TwoReadings => "two_readings",
        _ => verdict.ToString().ToLowerInvariant(),
    };
}
