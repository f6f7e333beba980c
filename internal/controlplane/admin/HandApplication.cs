using Microsoft.AspNetCore.Hosting.Server;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Http.Features;
using Microsoft.Extensions.Logging;

namespace Gateway.ControlPlane.Admin;

/// <summary>The application under the control plane's own servers: no host, no pipeline, no services, which is what makes them start in milliseconds.</summary>
internal sealed partial class HandApplication(Func<HttpContext, Task> handle, ILogger logger) : IHttpApplication<HttpContext>
{
    public HttpContext CreateContext(IFeatureCollection contextFeatures) => new DefaultHttpContext(contextFeatures);

    public void DisposeContext(HttpContext context, Exception? exception)
    {
    }

    public async Task ProcessRequestAsync(HttpContext context)
    {
        try
        {
            await handle(context);
        }
        catch (OperationCanceledException) when (context.RequestAborted.IsCancellationRequested)
        {
            // The client has gone.
        }
        catch (BadHttpRequestException e)
        {
            if (!context.Response.HasStarted) await AdminJson.ProblemAsync(context, e.StatusCode, e.StatusCode == 413 ? "too_large" : "bad_request", "Bad Request", e.Message);
        }
        catch (ObjectDisposedException) when (!context.Response.HasStarted)
        {
            await AdminJson.ProblemAsync(context, 503, "stopping", "Shutting Down", "the gateway is shutting down");
        }
        catch (Exception e)
        {
            LogFault(logger, e, context.Request.Method, context.Request.Path.Value ?? "");
            if (context.Response.HasStarted) context.Abort();
            else await AdminJson.ProblemAsync(context, 500, "internal", "Internal Error", "a defect of the gateway; its log says more");
        }
    }

    [LoggerMessage(1200, LogLevel.Error, "{Method} {Path} failed inside the gateway")]
    private static partial void LogFault(ILogger logger, Exception exception, string method, string path);
}
