using System.Globalization;
using System.Text.Json;
using Gateway.Config;
using Gateway.DataPlane.Server;

namespace Gateway.ControlPlane.Admin;

/// <summary>A route as <c>GET /admin/routes</c> shows it.</summary>
internal static class RouteView
{
    /// <param name="shadow">Why no request reaches the route; null when one can.</param>
    /// <param name="ledger">Entries of its breaker's ledger at most, newest first.</param>
    public static void Write(Utf8JsonWriter writer, RouteConfig route, IReadOnlyList<string> allListeners, string? shadow, RouteStatus status, int ledger)
    {
        writer.WriteStartObject();
        writer.WriteString("name", route.Name);
        WriteTexts(writer, "listeners", route.Listeners.Count == 0 ? allListeners : route.Listeners);
        WriteTexts(writer, "hosts", route.Match.Hosts);
        if (route.Match.Path is { } path) writer.WriteString("path", path.Exact is not null ? $"exact {path.Exact}" : path.Prefix is not null ? $"prefix {path.Prefix}" : $"regex {path.Regex}");
        WriteTexts(writer, "methods", route.Match.Methods);
        WriteTexts(writer, "conditions", [.. route.Match.Headers.Select(static h => Condition("header", h)), .. route.Match.Query.Select(static q => Condition("query", q))]);
        writer.WriteString("action", Action(route));
        if (shadow is not null) writer.WriteString("shadowedBy", shadow);
        RouteStateView.WriteMembers(writer, status, ledger);
        writer.WriteEndObject();
    }

    private static string Action(RouteConfig route)
    {
        if (route.Pool is not null) return $"pool {route.Pool}";
        if (route.Redirect is not null) return $"redirect {route.Redirect.Status.ToString(CultureInfo.InvariantCulture)}";
        return $"respond {route.Respond?.Status.ToString(CultureInfo.InvariantCulture)}";
    }

    private static string Condition(string kind, ValueMatchConfig match)
    {
        if (match.Value is not null) return $"{kind} {match.Name} = {match.Value}";
        if (match.Regex is not null) return $"{kind} {match.Name} ~ {match.Regex}";
        return $"{kind} {match.Name} is {(match.Present == false ? "absent" : "present")}";
    }

    private static void WriteTexts(Utf8JsonWriter writer, string name, IReadOnlyList<string> texts)
    {
        writer.WriteStartArray(name);
        foreach (string text in texts) writer.WriteStringValue(text);
        writer.WriteEndArray();
    }
}
