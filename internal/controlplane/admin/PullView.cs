using System.Text.Json;
using Gateway.ControlPlane.Pull;

namespace Gateway.ControlPlane.Admin;

/// <summary>How it stands with the distributor, in <c>GET /admin/snapshot</c>.</summary>
internal static class PullView
{
    public static void Write(Utf8JsonWriter writer, PullStatus status)
    {
        writer.WriteStartObject("pull");
        writer.WriteString("url", status.Url.ToString());
        if (status.LastSuccess is { } success) writer.WriteString("lastSuccess", success.UtcDateTime);
        if (status.LastError is not null)
        {
            writer.WriteString("lastError", status.LastError);
            writer.WriteString("lastErrorAt", status.LastErrorAt!.Value.UtcDateTime);
        }
        writer.WriteNumber("failures", status.Failures);
        if (status.NextTry is { } next) writer.WriteString("nextTry", next.UtcDateTime);
        if (status.Refused is { } refused)
        {
            writer.WriteStartObject("refused");
            writer.WriteNumber("sequence", refused.Sequence);
            writer.WriteString("version", refused.Version);
            writer.WriteString("code", refused.Code);
            writer.WriteString("reason", refused.Reason);
            writer.WriteString("at", refused.At.UtcDateTime);
            writer.WriteEndObject();
        }
        writer.WriteEndObject();
    }
}
