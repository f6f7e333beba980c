using System.Text.Json;
using Gateway.DataPlane.Server;

namespace Gateway.ControlPlane.Admin;

/// <summary>What a route's mechanisms stand at, as members of its object in <c>GET /admin/routes</c> and of <c>state</c> in an explanation.</summary>
internal static class RouteStateView
{
    public const int DefaultLedger = 10;

    /// <param name="ledger">Entries of the breaker's ledger at most, newest first.</param>
    public static void WriteMembers(Utf8JsonWriter writer, RouteStatus status, int ledger = DefaultLedger)
    {
        if (status.Breaker is { } breaker) Write(writer, breaker, ledger);
        if (status.RetryBudget is { } budget)
        {
            writer.WriteStartObject("retryBudget");
            writer.WriteNumber("requests", budget.Requests);
            writer.WriteNumber("used", budget.Used);
            writer.WriteNumber("left", budget.Left);
            writer.WriteNumber("refused", budget.Refused);
            writer.WriteEndObject();
        }
        if (status.Concurrency is { } concurrency)
        {
            writer.WriteStartObject("concurrency");
            writer.WriteNumber("limit", concurrency.Limit);
            if (concurrency.Max is { } max) writer.WriteNumber("max", max);
            writer.WriteNumber("inFlight", concurrency.InFlight);
            writer.WriteNumber("queued", concurrency.Queued);
            writer.WriteNumber("maxQueue", concurrency.MaxQueue);
            writer.WriteEndObject();
        }
    }

    private static void Write(Utf8JsonWriter writer, BreakerStatus breaker, int ledger)
    {
        writer.WriteStartObject("breaker");
        writer.WriteString("state", breaker.State);
        if (breaker.Since is { } since) writer.WriteString("since", since.UtcDateTime);
        writer.WriteNumber("requests", breaker.Requests);
        writer.WriteNumber("failures", breaker.Failures);
        writer.WriteNumber("opened", breaker.Opened);
        if (breaker.NextProbe is { } next) writer.WriteString("nextProbe", next.UtcDateTime);
        writer.WriteNumber("probesOut", breaker.ProbesOut);
        writer.WriteNumber("probesGood", breaker.ProbesGood);
        writer.WriteStartArray("ledger");
        for (int i = breaker.Ledger.Count - 1; i >= 0 && breaker.Ledger.Count - i <= ledger; i--) Write(writer, breaker.Ledger[i]);
        writer.WriteEndArray();
        writer.WriteEndObject();
    }

    private static void Write(Utf8JsonWriter writer, BreakerEvent change)
    {
        writer.WriteStartObject();
        writer.WriteNumber("sequence", change.Sequence);
        writer.WriteString("time", change.Time.UtcDateTime);
        writer.WriteString("from", change.From);
        writer.WriteString("to", change.To);
        writer.WriteString("cause", change.Cause);
        writer.WriteString("detail", change.Detail);
        if (change.Until is { } until) writer.WriteString("until", until.UtcDateTime);
        writer.WriteEndObject();
    }
}
