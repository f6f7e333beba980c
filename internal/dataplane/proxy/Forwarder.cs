using System.Net;
using System.Runtime.CompilerServices;
using Gateway.Config;
using Gateway.Core.Pool;
using Gateway.DataPlane.Proxy.Http1;
using Gateway.DataPlane.Runtime;
using Gateway.DataPlane.Transport;
using Microsoft.Extensions.Logging;

namespace Gateway.DataPlane.Proxy;

/// <summary>
/// Forwards a request to an endpoint of its route's pool and the response back:
/// 1. choose an endpoint, count it in; 2. make the upstream request; 3. send it, the body goes as the client sends it; 4. the response's
/// head, checked; 5. its body as it comes, or the tunnel; 6. trailers; 7. count the endpoint out, once, whatever happened.
/// </summary>
internal sealed partial class Forwarder(ProxyServices services)
{
    private readonly Http1Forwarder _http1 = new(services);

    [AsyncMethodBuilder(typeof(LoopTaskMethodBuilder))]
    public async ValueTask ForwardAsync(Exchange exchange, RouteModel route, long bodyLimit)
    {
        RequestContext request = exchange.Context;
        PoolModel pool = route.Pool!;
        PickContext context = pool.Plan.HashKey is { } key ? new PickContext(Excluded: 0, RequestHash.Of(exchange, key)) : default;
        if (pool.Current.Pick(context) is not { } endpoint)
        {
            request.Fail(ErrorCategory.NoEndpoint, "The pool has no endpoint to take the request.");
            return;
        }
        request.Endpoint = endpoint;
        request.Attempts++;
        endpoint.State.Load.Begin();
        endpoint.Upstream.Load.Begin();
        exchange.Deadline.Begin(request.StartedAt, route.RequestTimeout);
        CancellationTokenRegistration departure = default;
        bool watched = exchange.Downstream.WatchDeparture(exchange.Deadline);
        if (!watched)
        {
            departure = exchange.Downstream.Aborted.UnsafeRegister(
                static deadline => ((RequestDeadline)deadline!).Cancel(ErrorCategory.ClientClosed), exchange.Deadline);
        }
        try
        {
            if (endpoint.Upstream is LoopUpstream http1) await _http1.AttemptAsync(exchange, route, pool, http1, exchange.Downstream.Loop!, bodyLimit);
            else await AttemptAsync(exchange, route, pool, (HttpClientUpstream)endpoint.Upstream, bodyLimit);
        }
        finally
        {
            // Waits for a callback that runs: it must not reach the connection's next request.
            if (!watched) await departure.DisposeAsync();
            endpoint.Upstream.Load.End();
            endpoint.State.Load.End();
        }
    }

    private async ValueTask AttemptAsync(Exchange exchange, RouteModel route, PoolModel pool, HttpClientUpstream upstream, long bodyLimit)
    {
        RequestContext request = exchange.Context;
        RequestDeadline deadline = exchange.Deadline;
        using HttpRequestMessage? message = UpstreamRequest.Create(exchange, upstream, route, bodyLimit, out RequestBodyContent? body);
        if (message is null) return;

        request.UpstreamStartedAt = services.Time.GetTimestamp();
        HttpResponseMessage? response = null;
        try
        {
            deadline.BeginAttempt(route.AttemptTimeout);
            if (body is not null) deadline.WatchIdle(route.IdleTimeout);
            try
            {
                response = await upstream.SendAsync(message, deadline.Token);
            }
            catch (Exception e) when (IsOfTheUpstream(e))
            {
                Fail(exchange, body, e);
            }
            request.UpstreamHeadersAt = services.Time.GetTimestamp();
            if (response is not null) ResponseHead.Check(exchange, response, message);
            RecordAttempt(request, pool, response is null ? 0 : (int)response.StatusCode);
            if (response is null || request.Category != ErrorCategory.None) return;
            deadline.EndAttempt();
            exchange.HeadersReceived = true;

            if (ResponseHead.IsUpgrade(response, message)) await TunnelAsync(exchange, route, response);
            else await RespondAsync(exchange, route, response, body);
        }
        finally
        {
            bool bodyRuns = body is { IsComplete: false };
            // A read or a write that is still under way ends with the token, and its connection with it; disposal alone would race with it.
            if (bodyRuns || request.Category != ErrorCategory.None)
                deadline.Cancel(request.Category == ErrorCategory.None ? ErrorCategory.ClientClosed : request.Category);
            response?.Dispose();
            if (bodyRuns) await body!.StopAsync();
            exchange.HeadersReceived = false;
        }
    }

    private async ValueTask RespondAsync(Exchange exchange, RouteModel route, HttpResponseMessage response, RequestBodyContent? body)
    {
        RequestContext request = exchange.Context;
        KestrelDownstream client = exchange.Downstream;
        bool chunked = ResponseHead.Copy(response, exchange, upgraded: false);
        exchange.Deadline.WatchIdle(route.IdleTimeout);
        try
        {
            using Stream source = await response.Content.ReadAsStreamAsync(CancellationToken.None);
            CopyOutcome outcome = ResponseHead.HasBody(client, response)
                ? await ResponseBodyCopier.CopyAsync(source, exchange, chunked)
                : CopyOutcome.Complete;
            if (outcome == CopyOutcome.ClientGone)
            {
                exchange.Deadline.Cancel(ErrorCategory.ClientClosed);
                request.Fail(ErrorCategory.ClientClosed);
                return;
            }
            if (chunked) await TrailerSection.WriteAsync(TrailerSection.Of(response.TrailingHeaders), client.ResponseBody);
            else if (client.HasTrailers) TrailerSection.Copy(TrailerSection.Of(response.TrailingHeaders), client);
        }
        catch (Exception e) when (IsOfTheUpstream(e))
        {
            Fail(exchange, body, e);
        }
    }

    private async ValueTask TunnelAsync(Exchange exchange, RouteModel route, HttpResponseMessage response)
    {
        RequestContext request = exchange.Context;
        ResponseHead.Copy(response, exchange, upgraded: true);
        using Stream far = await response.Content.ReadAsStreamAsync(CancellationToken.None);
        await using Stream near = await exchange.Downstream.UpgradeAsync();
        request.Status = exchange.Downstream.StatusCode;
        // What the tunnel needs it has: an apply must not wait for a WebSocket to end.
        services.Snapshots.Release(request.Snapshot!);
        request.Snapshot = null;
        exchange.Deadline.ForgetRequestTimeout();
        exchange.Deadline.WatchIdle(route.IdleTimeout);
        await Tunnel.RunAsync(near, far, exchange);
    }

    private void Fail(Exchange exchange, RequestBodyContent? body, Exception error)
    {
        RequestContext request = exchange.Context;
        if (AttemptFailure.Told(exchange, body)) return;
        (ErrorCategory category, string detail) = UpstreamErrors.Classify(error);
        request.Fail(category, detail);
        LogUpstream(services.Log, error, request.RequestId, request.Route!.Name, request.Endpoint!.Address);
    }

    /// <summary>The one place where an attempt is recorded: at its response's head, or when it has failed before that.</summary>
    internal static void RecordAttempt(RequestContext request, PoolModel pool, int status)
    {
        AttemptResult result = AttemptResult.Of(request.Category, status, request.UpstreamHeadersAt - request.UpstreamStartedAt);
        pool.State.Metrics.RecordAttempt((int)request.Category, result.Ticks);
        EndpointState endpoint = request.Endpoint!.State;
        endpoint.Record(result);
        // A failure that comes at once is no sign of speed; a timeout is one of slowness.
        if (pool.Plan.Balancing.IsByLatency && result.Kind is AttemptKind.Success or AttemptKind.Timeout) endpoint.Load.Observe(result.Ticks, request.UpstreamHeadersAt);
    }

    private static bool IsOfTheUpstream(Exception error) =>
        error is HttpRequestException or IOException or OperationCanceledException or System.Net.Sockets.SocketException or ObjectDisposedException;

    [LoggerMessage(1002, LogLevel.Debug, "request {RequestId} on route '{Route}' to {Endpoint} failed")]
    private static partial void LogUpstream(ILogger logger, Exception error, string requestId, string route, string endpoint);
}
