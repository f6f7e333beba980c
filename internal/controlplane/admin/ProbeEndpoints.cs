using System.Buffers;
using System.Text;
using Gateway.DataPlane.Obs;
using Microsoft.AspNetCore.Http;

namespace Gateway.ControlPlane.Admin;

/// <summary>What load balancers, orchestrators and Prometheus ask for.</summary>
internal sealed class ProbeEndpoints(Readiness readiness, GatewayMetrics metrics)
{
    public static Task LivezAsync(HttpContext context) => TextAsync(context, 200, "ok\n");

    /// <summary><c>?verbose</c>: the checks, as JSON or, with <c>Accept: text/plain</c>, as lines.</summary>
    public Task ReadyzAsync(HttpContext context)
    {
        int status = readiness.IsReady ? 200 : 503;
        if (!context.Request.Query.ContainsKey("verbose")) return TextAsync(context, status, status == 200 ? "ok\n" : "not ready\n");
        return context.Request.Headers.Accept.ToString().Contains("text/plain", StringComparison.OrdinalIgnoreCase)
            ? TextAsync(context, status, readiness.Text())
            : AdminJson.WriteAsync(context, status, readiness, static (writer, readiness) => readiness.Write(writer));
    }

    public Task MetricsAsync(HttpContext context)
    {
        bool openMetrics = GatewayMetrics.PrefersOpenMetrics(context.Request.Headers.Accept);
        ArrayBufferWriter<byte> text = new(16 << 10);
        metrics.Write(text, openMetrics);
        return AdminJson.WriteAsync(context, 200, text.WrittenMemory, GatewayMetrics.ContentType(openMetrics));
    }

    private static Task TextAsync(HttpContext context, int status, string text) =>
        AdminJson.WriteAsync(context, status, Encoding.UTF8.GetBytes(text), "text/plain; charset=utf-8");
}
