using System.Net;
using System.Runtime.CompilerServices;
using Gateway.Config;
using Gateway.DataPlane.Obs;
using Gateway.DataPlane.Proxy.Http1;
using Gateway.DataPlane.Runtime;
using Gateway.DataPlane.Transport;
using Microsoft.Extensions.Logging;

namespace Gateway.DataPlane.Proxy;

/// <summary>
/// Forwards a request to an endpoint of its route's pool and the response back:
/// 1. ask the breaker, choose an endpoint, count it in; 2. make the upstream request; 3. send it, the body goes as the client sends it;
/// 4. the response's head, checked, and the attempt recorded: from here back to 1 while another attempt is wanted and nothing was sent;
/// 5. its body as it comes, or the tunnel; 6. trailers; 7. count the endpoint out, once, whatever happened.
/// </summary>
internal sealed partial class Forwarder
{
    private readonly ProxyServices _services;
    private readonly AttemptJudge _judge;
    private readonly Http1Forwarder _http1;

    public Forwarder(ProxyServices services)
    {
        _services = services;
        _judge = new AttemptJudge(services);
        _http1 = new Http1Forwarder(services, _judge);
    }

    /// <param name="begun">The first attempt, where it is under way.</param>
    [AsyncMethodBuilder(typeof(LoopTaskMethodBuilder))]
    public async ValueTask ForwardAsync(Exchange exchange, RouteModel route, long bodyLimit, BegunAttempt? begun)
    {
        if (begun is null) CountIn(exchange, route);
        CancellationTokenRegistration departure = default;
        bool watched = exchange.Downstream.WatchDeparture(exchange.Deadline);
        if (!watched)
        {
            departure = exchange.Downstream.Aborted.UnsafeRegister(
                static deadline => ((RequestDeadline)deadline!).OnPeerGone(), exchange.Deadline);
        }
        try
        {
            EndpointModel? endpoint = begun is null ? Admit(exchange, route.Pool!) : begun.Endpoint;
            while ((endpoint ?? await WaitAsync(exchange, route.Pool!)) is { } admitted)
            {
                if (HedgeAfter(exchange, begun) is { } after) await HedgedAttemptAsync(exchange, route, admitted, after, begun);
                else await AttemptAsync(exchange, route, admitted, bodyLimit, begun);
                if (!exchange.Attempts.IsAgain || !await MayGoOnAsync(exchange)) break;
                begun = null;
                endpoint = Admit(exchange, route.Pool!);
            }
        }
        finally
        {
            // Waits for a callback that runs: it must not reach the connection's next request.
            if (!watched) await departure.DisposeAsync();
        }
    }

    private void CountIn(Exchange exchange, RouteModel route)
    {
        RouteAttempts shared = route.SharedAttempts(_services.Time);
        exchange.Attempts.Begin(shared);
        exchange.Kept.Begin(shared.Plan.Retry.Attempts > 1 ? shared.Plan.BufferBytes : 0);
        shared.Request(ClientKey.Of(exchange), exchange.Context.StartedAt);
    }

    /// <summary>Begins the time that the request may take. Before the route's filters run, for they may have it wait.</summary>
    public static void BeginTime(Exchange exchange, RouteModel route)
    {
        RequestContext request = exchange.Context;
        TimeSpan time = route.RequestTimeout;
        if (ClientDeadline.FieldOf(request.IsGrpc, route.Attempts?.DeadlineHeader) is { } field && request.Downstream.RequestHeaders[field] is { Count: 1 } said)
        {
            exchange.ClientDeadline = ClientDeadline.Read(field, said.ToString(), time);
            if (exchange.ClientDeadline.IsNearest) time = exchange.ClientDeadline.Time;
        }
        exchange.Deadline.Begin(request.StartedAt, time);
    }

    /// <summary>The request's time is over before the next attempt: nothing is sent, for nobody waits for the answer. The context says so.</summary>
    private bool IsOver(Exchange exchange)
    {
        RequestContext request = exchange.Context;
        // The clock is read only where something was waited for.
        long now = request.Attempts != 0 ? _services.Time.GetTimestamp() : Math.Max(request.StartedAt, request.AdmittedAt);
        if (!exchange.Deadline.IsOverAt(now)) return false;
        exchange.Deadline.Cancel(ErrorCategory.RequestTimeout);
        return AttemptFailure.Told(exchange, body: null);
    }

    /// <summary>As <see cref="AttemptJudge.Admit"/>, while there is time.</summary>
    private EndpointModel? Admit(Exchange exchange, PoolModel pool) => IsOver(exchange) ? null : _judge.Admit(exchange, pool);

    /// <summary>For an attempt that was not admitted: waits for an endpoint where one may come free; null at once otherwise.</summary>
    private ValueTask<EndpointModel?> WaitAsync(Exchange exchange, PoolModel pool) =>
        exchange.Context.Category == ErrorCategory.None ? _judge.WaitAsync(exchange, pool) : new(default(EndpointModel));

    /// <param name="endpoint">Counted in; it is counted out when the attempt ends.</param>
    [AsyncMethodBuilder(typeof(LoopTaskMethodBuilder))]
    private async ValueTask AttemptAsync(Exchange exchange, RouteModel route, EndpointModel endpoint, long bodyLimit, BegunAttempt? begun = null)
    {
        if (begun?.Connection is null) endpoint.Upstream.Load.Begin();
        try
        {
            if (endpoint.Upstream is LoopUpstream http1) await _http1.AttemptAsync(exchange, route, http1, exchange.Downstream.Loop!, bodyLimit, begun);
            else await AttemptAsync(exchange, route, (HttpClientUpstream)endpoint.Upstream, bodyLimit);
        }
        finally
        {
            Leave(exchange, route, endpoint);
        }
    }

    private void Leave(Exchange exchange, RouteModel route, EndpointModel endpoint)
    {
        _judge.End(exchange, route, endpoint.State);
        endpoint.Upstream.Load.End();
        route.Pool!.Leave(endpoint);
    }

    /// <summary>Waits for as long as another attempt is to wait. False: the request ended meanwhile, and the context says why.</summary>
    private async ValueTask<bool> MayGoOnAsync(Exchange exchange)
    {
        RequestContext request = exchange.Context;
        RequestDeadline deadline = exchange.Deadline;
        bool goesOn = deadline.BeginAgain();
        // Who left while the deadline had struck for another reason was not heard.
        if (exchange.Downstream.IsGone) deadline.Cancel(ErrorCategory.ClientClosed);
        try
        {
            if (goesOn && exchange.Attempts.Pause > TimeSpan.Zero) await Task.Delay(exchange.Attempts.Pause, _services.Time, deadline.Token);
        }
        catch (OperationCanceledException)
        {
            // The deadline says why.
        }
        if (exchange.Downstream.Loop is { } loop && EventLoop.Current != loop) await loop.Switch();
        if (AttemptFailure.Told(exchange, body: null)) return false;
        if (exchange.Kept.IsWhole) return true;
        // More of the body than can be kept was taken between the decision and the end of the attempt.
        request.Fail(ErrorCategory.UpstreamReset, "The upstream did not take the whole request body, and it is too large to be sent again.");
        return false;
    }

    private async ValueTask AttemptAsync(Exchange exchange, RouteModel route, HttpClientUpstream upstream, long bodyLimit)
    {
        RequestContext request = exchange.Context;
        RequestDeadline deadline = exchange.Deadline;
        using UpstreamMessage? message = UpstreamRequest.Create(exchange, upstream, route, bodyLimit, out RequestBodyContent? body);
        if (message is null) return;

        request.UpstreamStartedAt = _services.Time.GetTimestamp();
        HttpResponseMessage? response = null;
        try
        {
            deadline.BeginAttempt(route.AttemptTimeout);
            if (body is not null) deadline.WatchIdle(route.IdleTimeout);
            try
            {
                Task<HttpResponseMessage> sending = upstream.SendAsync(message, deadline.Token);
                using ConnectionPatience? patience = upstream.IsFull && !message.HasBegun ? ConnectionPatience.Begin(exchange, route, message, body is not null, _services.Time) : null;
                response = await sending;
            }
            catch (Exception e) when (IsOfTheUpstream(e))
            {
                // It came in while the connections were being made, and was given none of them.
                if (deadline.Reason == ErrorCategory.UpstreamTimeout && upstream.IsFull && !message.HasBegun) request.Fail(ErrorCategory.Overloaded, AttemptFailure.NoConnection);
                else Fail(exchange, body, e);
            }
            request.UpstreamHeadersAt = _services.Time.GetTimestamp();
            if (response is not null) ResponseHead.Check(exchange, response, message);
            int status = response is null ? 0 : (int)response.StatusCode;
            exchange.Attempts.NotProcessed = message.IsResendRefused || request.Category == ErrorCategory.UpstreamConnectFailed;
            _judge.Record(exchange, route.Pool!, status);
            if (exchange.Race is not null && !_judge.Decides(exchange)) return;
            if ((request.Category != ErrorCategory.None || status >= 400) && _judge.TryAgain(exchange, ResponseHead.RetryAfterOf(response))) return;
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
            if (exchange.Attempts.IsAgain) body?.Interrupt();
            else if (bodyRuns || request.Category != ErrorCategory.None)
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
        _services.Snapshots.Release(request.Snapshot!);
        request.Snapshot = null;
        Outcome.CountVariant(request, _services.Time.GetTimestamp());
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
        LogUpstream(_services.Log, error, request.RequestId, request.Route!.Name, request.Endpoint!.Address);
    }

    private static bool IsOfTheUpstream(Exception error) =>
        error is HttpRequestException or IOException or OperationCanceledException or System.Net.Sockets.SocketException or ObjectDisposedException;

    [LoggerMessage(1002, LogLevel.Debug, "request {RequestId} on route '{Route}' to {Endpoint} failed")]
    private static partial void LogUpstream(ILogger logger, Exception error, RequestId requestId, string route, string endpoint);
}
