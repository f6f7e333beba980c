using System.Text.Json;
using Gateway.DataPlane.Server;

namespace Gateway.ControlPlane.Admin;

/// <summary>A pool as the admin API shows it.</summary>
internal static class PoolView
{
    public const int DefaultLedger = 10;

    /// <param name="ledger">Entries of the ledger at most, newest first.</param>
    public static void Write(Utf8JsonWriter writer, PoolStatus pool, int ledger = DefaultLedger)
    {
        writer.WriteStartObject();
        writer.WriteString("name", pool.Name);
        writer.WriteString("protocol", pool.Protocol);
        writer.WriteString("loadBalancing", pool.LoadBalancing);
        writer.WriteBoolean("panic", pool.Panic);
        writer.WriteStartArray("endpoints");
        foreach (EndpointStatus endpoint in pool.Endpoints) Write(writer, endpoint);
        writer.WriteEndArray();
        writer.WriteStartArray("ledger");
        for (int i = pool.Ledger.Count - 1; i >= 0 && pool.Ledger.Count - i <= ledger; i--) Write(writer, pool.Ledger[i]);
        writer.WriteEndArray();
        writer.WriteEndObject();
    }

    private static void Write(Utf8JsonWriter writer, EndpointStatus endpoint)
    {
        writer.WriteStartObject();
        writer.WriteString("address", endpoint.Address);
        writer.WriteNumber("weight", endpoint.Weight);
        if (endpoint.Zone is not null) writer.WriteString("zone", endpoint.Zone);
        writer.WriteNumber("priority", endpoint.Priority);
        writer.WriteNumber("rampPercent", endpoint.RampPercent);
        writer.WriteBoolean("healthy", endpoint.Healthy);
        writer.WriteString("state", endpoint.State);
        writer.WriteNumber("inFlight", endpoint.InFlight);
        writer.WriteNumber("attempts", endpoint.Attempts);
        writer.WriteNumber("failures", endpoint.Failures);
        writer.WriteNumber("errors", endpoint.Errors);
        writer.WriteNumber("connections", endpoint.Connections);
        writer.WriteBoolean("used", endpoint.Used);
        if (endpoint.Reason is not null) writer.WriteString("reason", endpoint.Reason);
        if (endpoint.LastProbe is { } probe)
        {
            writer.WriteStartObject("lastProbe");
            writer.WriteString("time", probe.Time.UtcDateTime);
            writer.WriteBoolean("good", probe.Good);
            writer.WriteString("detail", probe.Detail);
            writer.WriteNumber("inARow", probe.InARow);
            writer.WriteEndObject();
        }
        if (endpoint.LastChange is { } change)
        {
            writer.WritePropertyName("lastChange");
            Write(writer, change);
        }
        writer.WriteEndObject();
    }

    private static void Write(Utf8JsonWriter writer, HealthChange change)
    {
        writer.WriteStartObject();
        writer.WriteNumber("sequence", change.Sequence);
        writer.WriteString("time", change.Time.UtcDateTime);
        if (change.Endpoint.Length != 0) writer.WriteString("endpoint", change.Endpoint);
        writer.WriteString("from", change.From);
        writer.WriteString("to", change.To);
        writer.WriteString("cause", change.Cause);
        writer.WriteString("detail", change.Detail);
        if (change.Until is { } until) writer.WriteString("until", until.UtcDateTime);
        writer.WriteEndObject();
    }
}
