using System.Text.Json;
using Gateway.DataPlane.Server;

namespace Gateway.ControlPlane.Admin;

/// <summary>A pool and its endpoints as they are now.</summary>
internal static class PoolView
{
    public static void Write(Utf8JsonWriter writer, PoolStatus pool)
    {
        writer.WriteStartObject();
        writer.WriteString("name", pool.Name);
        writer.WriteString("protocol", pool.Protocol);
        writer.WriteString("loadBalancing", pool.LoadBalancing);
        writer.WriteBoolean("panic", pool.Panic);
        writer.WriteStartArray("endpoints");
        foreach (EndpointStatus endpoint in pool.Endpoints) WriteEndpoint(writer, endpoint);
        writer.WriteEndArray();
        writer.WriteEndObject();
    }

    private static void WriteEndpoint(Utf8JsonWriter writer, EndpointStatus endpoint)
    {
        writer.WriteStartObject();
        writer.WriteString("address", endpoint.Address);
        writer.WriteNumber("weight", endpoint.Weight);
        writer.WriteBoolean("healthy", endpoint.Healthy);
        writer.WriteNumber("inFlight", endpoint.InFlight);
        writer.WriteNumber("attempts", endpoint.Attempts);
        writer.WriteNumber("failures", endpoint.Failures);
        writer.WriteNumber("connections", endpoint.Connections);
        writer.WriteBoolean("used", endpoint.Used);
        if (endpoint.Reason is not null) writer.WriteString("reason", endpoint.Reason);
        writer.WriteEndObject();
    }
}
