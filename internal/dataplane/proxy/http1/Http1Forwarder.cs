using System.IO.Pipelines;
using System.Runtime.CompilerServices;
using Gateway.Core.Http1;
using Gateway.Core.Limits;
using Gateway.DataPlane.Runtime;
using Gateway.DataPlane.Transport;
using Microsoft.Extensions.Primitives;

namespace Gateway.DataPlane.Proxy.Http1;

/// <summary>
/// One attempt at an HTTP/1.1 upstream over a connection on the client's own loop:
/// 1. take an idle connection, or connect; 2. send the head; 3. send the body beside what follows; 4. read heads until the final one, check
/// it; 5. the body as it comes, or the tunnel; 6. give the connection back if both messages ended, else close it.
/// </summary>
internal sealed partial class Http1Forwarder(ProxyServices services, AttemptJudge judge)
{
    private const int HeadBuffer = 4096;

    /// <param name="begun">The attempt, where its head is on its way or the response's has come: goes on from there. Of a request without a body.</param>
    [AsyncMethodBuilder(typeof(LoopTaskMethodBuilder))]
    public async ValueTask AttemptAsync(Exchange exchange, RouteModel route, LoopUpstream upstream, EventLoop loop, long bodyLimit, BegunAttempt? begun)
    {
        RequestContext request = exchange.Context;
        RequestDeadline deadline = exchange.Deadline;
        KestrelDownstream client = exchange.Downstream;
        if (EventLoop.Current != loop) await loop.Switch();

        bool toHead = client.Method == "HEAD", hasBody = client.UpgradeProtocol is null && client.HasRequestBody;
        bool expectsContinue = hasBody && client.Protocol != "HTTP/1.0" && HopByHop.HasToken(client.RequestHeaders.Expect, "100-continue");
        bool resumes = begun?.Connection is not null;
        byte[] head = resumes ? begun!.Head : [];
        int headLength = 0;
        RequestBodyContent? body = null;
        if (!resumes)
        {
            head = LoopBuffers.Rent(HeadBuffer);
            // A small body that is here already goes with the head: one call less, and it can be sent again when the connection turns out stale.
            headLength = WriteHead(exchange, upstream, expectsContinue, hasBody && !expectsContinue, ref head, out bool whole);
            if (hasBody && !whole) body = new RequestBodyContent(exchange, client.RequestHeaders.ContentLength, bodyLimit, route.AttemptTimeout);
            request.UpstreamStartedAt = services.Time.GetTimestamp();
            deadline.BeginAttempt(request.UpstreamStartedAt, route.AttemptTimeout);
            if (body is not null) deadline.WatchIdle(request.UpstreamStartedAt, route.IdleTimeout);
        }
        Http1Response response = exchange.Http1;
        LoopConnection? connection = null;
        bool reusable = false;
        try
        {
            for (bool fresh = false; ; fresh = true)
            {
                if (resumes) connection = begun!.Connection;
                else connection = fresh ? null : upstream.TryTake(loop);
                if (connection is null)
                {
                    (connection, string failure) = await ConnectAsync(exchange, route, upstream, loop, hasBody: body is not null);
                    if (connection is null)
                    {
                        exchange.Attempts.NotProcessed = true;
                        if (request.Category == ErrorCategory.None && !AttemptFailure.Told(exchange, body)) request.Fail(ErrorCategory.UpstreamConnectFailed, failure);
                        break;
                    }
                }
                ParseStatus status = ParseStatus.NeedMore;
                if (resumes || deadline.Guard(connection))
                {
                    bool hasHead = false, sent;
                    if (resumes)
                    {
                        (hasHead, status, resumes) = (begun!.HasHead, begun.Status, false);
                        sent = await begun.Sent;
                    }
                    else
                    {
                        response.Begin(connection);
                        if (head.Length == 0)
                        {
                            head = LoopBuffers.Rent(HeadBuffer);
                            headLength = WriteHead(exchange, upstream, expectsContinue, takeBody: false, ref head, out _);
                        }
                        sent = await connection.SendAsync(head.AsMemory(0, headLength));
                    }
                    // A thousand requests that wait for their answers are not to hold a buffer each, for what may have to be written again once a day.
                    if (!hasBody) GiveBack(ref head);
                    if (body is not null && sent && !expectsContinue) exchange.Sending = SendBodyAsync(exchange, body, connection);
                    if (expectsContinue)
                    {
                        status = await ReadHeadAfterContinueAsync(exchange, response, body!, connection);
                    }
                    else if (!hasHead)
                    {
                        do
                        {
                            while (!response.TryReadHead(toHead, out status)) _ = await connection.WaitAsync();
                        }
                        while (status == ParseStatus.Complete && response.Head.IsInterim);
                    }
                    if (status == ParseStatus.Complete) break;
                }
                // The peer closed it while it idled, so this request was not processed: nothing is lost by asking again on a new one.
                exchange.Attempts.NotProcessed = connection.Reused && !response.AnyBytes;
                if (exchange.Attempts.NotProcessed && body is null && deadline.Unguard() && exchange.Attempts.TryResend())
                {
                    connection.Close(reset: false);
                    continue;
                }
                Fail(exchange, body, status);
                break;
            }
            request.UpstreamHeadersAt = services.Time.GetTimestamp();
            if (request.Category == ErrorCategory.None) Http1ResponseHead.Check(exchange, response);
            judge.Record(exchange, route.Pool!, response.Head.Status);
            if (exchange.Race is not null && !judge.Decides(exchange)) return;
            if (request.Category != ErrorCategory.None || response.Head.Status >= 400)
            {
                bool answered = request.Category == ErrorCategory.None;
                if (hasBody && body is null) KeepSent(exchange, head.AsMemory(0, headLength));
                if (judge.TryAgain(exchange, answered ? Http1ResponseHead.RetryAfterOf(response) : null))
                {
                    reusable = answered && response.TryDiscard() && response.IsReusable && body is null or { IsComplete: true };
                    return;
                }
                if (!answered) return;
            }
            deadline.EndAttempt();
            exchange.HeadersReceived = true;
            if (response.Framing.Kind == BodyKind.Tunnel) await TunnelAsync(exchange, route, response, connection!);
            else await RespondAsync(exchange, route, response, body);
            reusable = request.Category == ErrorCategory.None && response.IsReusable && (body is null || body.IsComplete);
        }
        catch (OperationCanceledException)
        {
            Fail(exchange, body, ParseStatus.NeedMore);
        }
        finally
        {
            if (body is { IsComplete: false })
            {
                if (exchange.Attempts.IsAgain) body.Interrupt();
                else deadline.Cancel(request.Category == ErrorCategory.None ? ErrorCategory.ClientClosed : request.Category);
                connection?.Abort();
                await body.StopAsync();
            }
            if (exchange.Sending is { } sending)
            {
                await sending;
                exchange.Sending = null;
            }
            // A flush of HTTP/2 ends on the thread pool.
            if (EventLoop.Current != loop) await loop.Switch();
            GiveBack(ref head);
            exchange.HeadersReceived = false;
            if (connection is not null)
            {
                // A deadline that struck just now has an abort of this very connection on its way.
                if (deadline.Unguard() && reusable) upstream.Return(connection);
                // Who left has a receive waiting, perhaps into the response's own buffer: closed first, it writes to nobody's memory.
                else connection.Close(reset: request.Category != ErrorCategory.None);
            }
            response.End();
        }
    }

    private static int WriteHead(Exchange exchange, LoopUpstream upstream, bool expectsContinue, bool takeBody, ref byte[] buffer, out bool whole)
    {
        var head = new Http1HeadSink(buffer);
        Http1RequestHead.Write(exchange, upstream.Authority, expectsContinue, ref head);
        whole = takeBody && TakeWhole(exchange, exchange.Downstream, ref head);
        buffer = head.Buffer;
        return head.Length;
    }

    private static void GiveBack(ref byte[] buffer)
    {
        if (buffer.Length != 0) LoopBuffers.Return(buffer);
        buffer = [];
    }

    /// <summary>No connection when there is none to be had, or a deadline struck before there was.</summary>
    [AsyncMethodBuilder(typeof(LoopTaskMethodBuilder<>))]
    private async ValueTask<(LoopConnection? Connection, string Failure)> ConnectAsync(Exchange exchange, RouteModel route, LoopUpstream upstream, EventLoop loop, bool hasBody)
    {
        try
        {
            if (!upstream.TryPermit())
            {
                (bool goesOn, LoopConnection? freed) = await WaitForPermitAsync(exchange, route, upstream, loop, hasBody);
                if (!goesOn || freed is not null) return (freed, "");
            }
            return await upstream.ConnectAsync(loop, exchange.Deadline.Token);
        }
        catch (OperationCanceledException)
        {
            return (null, "");
        }
    }

    /// <summary>
    /// Waits while the endpoint has as many connections as it may. That is the gateway's own bound and says nothing about the endpoint, which
    /// was not asked: the time of the attempt begins after it, and who waits in vain is turned away as for want of any other room.
    /// </summary>
    private async ValueTask<(bool GoesOn, LoopConnection? Freed)> WaitForPermitAsync(Exchange exchange, RouteModel route, LoopUpstream upstream, EventLoop loop, bool hasBody)
    {
        ConnectionQueue queue = route.Pool!.State.Connections;
        QueueSettings settings = route.Pool.Plan.Queue;
        RequestContext request = exchange.Context;
        RequestDeadline deadline = exchange.Deadline;
        deadline.PauseAttempt();
        if (!queue.TryEnter(settings.Length))
        {
            request.Fail(ErrorCategory.Overloaded, AttemptFailure.NoConnectionQueue);
            return default;
        }
        LoopConnection? freed;
        using (var patience = new CancellationTokenSource(settings.Timeout, services.Time))
        using (var either = CancellationTokenSource.CreateLinkedTokenSource(patience.Token, deadline.Token))
        {
            try
            {
                freed = await upstream.WaitForPermitAsync(loop, either.Token);
            }
            catch (OperationCanceledException)
            {
                if (EventLoop.Current != loop) await loop.Switch();
                if (AttemptFailure.Told(exchange, body: null)) return default;
                queue.CountTimeout();
                request.Fail(ErrorCategory.Overloaded, AttemptFailure.NoConnection);
                return default;
            }
            finally
            {
                queue.Leave();
            }
        }
        request.UpstreamStartedAt = services.Time.GetTimestamp();
        deadline.BeginAttempt(request.UpstreamStartedAt, route.AttemptTimeout);
        if (hasBody) deadline.WatchIdle(request.UpstreamStartedAt, route.IdleTimeout);
        return (true, freed);
    }

    [AsyncMethodBuilder(typeof(LoopTaskMethodBuilder))]
    private async ValueTask RespondAsync(Exchange exchange, RouteModel route, Http1Response response, RequestBodyContent? body)
    {
        RequestContext request = exchange.Context;
        KestrelDownstream client = exchange.Downstream;
        bool chunked = Http1ResponseHead.Copy(exchange, response, upgraded: false);
        exchange.Deadline.WatchIdle(request.UpstreamHeadersAt, route.IdleTimeout);
        // Of 205 no content goes on (RFC 9110 section 15.3.6): the client has been promised none.
        if (response.Head.Status == 205)
        {
            _ = response.TryDiscard();
            return;
        }
        try
        {
            if (!chunked && response.TryTakeWhole(out ReadOnlyMemory<byte> whole))
            {
                if (!await ResponseBodyCopier.WriteWholeAsync(whole, exchange)) request.Fail(ErrorCategory.ClientClosed);
                return;
            }
            if (!response.BodyEnded && await CopyBodyAsync(response, exchange, chunked) == CopyOutcome.ClientGone)
            {
                request.Fail(ErrorCategory.ClientClosed);
                return;
            }
            if (chunked) await TrailerSection.WriteAsync(response.Trailers, client.ResponseBody);
            else if (client.HasTrailers) TrailerSection.Copy(response.Trailers, client);
        }
        catch (HttpIOException e) when (e.HttpRequestError == HttpRequestError.InvalidResponse)
        {
            request.Fail(ErrorCategory.UpstreamProtocolError, e.Message);
        }
        catch (Exception e) when (e is IOException or OperationCanceledException)
        {
            Fail(exchange, body, ParseStatus.NeedMore);
        }
    }

    private static ValueTask<CopyOutcome> CopyBodyAsync(Http1Response response, Exchange exchange, bool chunked) => response.IsPlain && !chunked
        ? ResponseBodyCopier.CopyPlainAsync(response, exchange)
        : ResponseBodyCopier.CopyAsync(response, exchange, chunked);

    private async ValueTask TunnelAsync(Exchange exchange, RouteModel route, Http1Response response, LoopConnection connection)
    {
        RequestContext request = exchange.Context;
        Http1ResponseHead.Copy(exchange, response, upgraded: true);
        // The tunnel ends its sides itself: who ends its direction in order must not be taken for one who left, and the other side reset.
        exchange.Deadline.Unguard();
        await using Stream near = await exchange.Downstream.UpgradeAsync();
        request.Status = exchange.Downstream.StatusCode;
        // What the tunnel needs it has: an apply must not wait for a WebSocket to end.
        services.Snapshots.Release(request.Snapshot!);
        request.Snapshot = null;
        Outcome.CountVariant(request, services.Time.GetTimestamp());
        exchange.Deadline.ForgetRequestTimeout();
        exchange.Deadline.WatchIdle(route.IdleTimeout);
        await Tunnel.RunAsync(near, new Http1Tunnel(response, connection), exchange);
    }

    private static void Fail(Exchange exchange, RequestBodyContent? body, ParseStatus status)
    {
        RequestContext request = exchange.Context;
        if (AttemptFailure.Told(exchange, body)) return;
        if (status.IsMalformed()) request.Fail(ErrorCategory.UpstreamProtocolError, $"The upstream's response is malformed ({status}).");
        else request.Fail(ErrorCategory.UpstreamReset, "The upstream closed the connection.");
    }
}
