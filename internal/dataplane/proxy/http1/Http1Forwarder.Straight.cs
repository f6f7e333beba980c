using System.IO.Pipelines;
using Gateway.Core.Http1;
using Gateway.DataPlane.Proxy.Direct;
using Gateway.DataPlane.Runtime;
using Gateway.DataPlane.Transport;

namespace Gateway.DataPlane.Proxy.Http1;

/// <summary>The steps of an attempt that take no waiting.</summary>
internal sealed partial class Http1Forwarder
{
    /// <summary>Sends the head of a request without a body on a connection that is guarded.</summary>
    public void Send(Exchange exchange, RouteModel route, LoopUpstream upstream, LoopConnection connection, BegunAttempt begun)
    {
        begun.Connection = connection;
        byte[] head = LoopBuffers.Rent(HeadBuffer);
        int length = WriteHead(exchange, upstream, expectsContinue: false, takeBody: false, ref head, out _);
        // It began a microsecond ago, and has waited for nothing since: one look at the clock will do.
        exchange.Context.UpstreamStartedAt = exchange.Context.StartedAt;
        exchange.Deadline.BeginAttempt(exchange.Context.UpstreamStartedAt, route.AttemptTimeout);
        exchange.Http1.Begin(connection);
        begun.Sent = connection.SendAsync(head.AsMemory(0, length));
        if (begun.Sent.IsCompleted) GiveBack(ref head);
        begun.Head = head;
    }

    /// <summary>Answers from a response that is all here. False: it is another one, and nothing was done.</summary>
    public bool TryAnswer(Exchange exchange, RouteModel route, DirectResponse client, out ValueTask<FlushResult> flush)
    {
        flush = default;
        Http1Response response = exchange.Http1;
        int status = response.Head.Status;
        // What may be tried again, what has no body by its status, what is said to the connection, and what filters have added: all that is for
        // those who do it in full.
        if (client.Fields.Count != 0 || status is < 200 or >= 400 or 204 or 205 or 304 || response.Head.Facts.NamesFields || !response.IsWholeHere) return false;
        if (route.Pool!.Plan.AffinityCookie is { } cookie && !AffinityCookie.HasIt(exchange, cookie)) return false;
        RequestContext request = exchange.Context;
        request.UpstreamHeadersAt = services.Time.GetTimestamp();
        judge.Record(exchange, route.Pool, status);
        exchange.Deadline.EndAttempt();
        request.Status = status;
        ReadOnlySpan<byte> head = response.HeadBytes;
        _ = response.TryTakeWhole(out ReadOnlyMemory<byte> body);
        client.WriteWhole(response, head, body.Span);
        request.ResponseBytes += body.Length;
        flush = client.Output.FlushAsync(exchange.Deadline.Token);
        return true;
    }

    /// <summary>Waits until the client has taken the answer.</summary>
    public static async ValueTask TakeAsync(Exchange exchange, RouteModel route, ValueTask<FlushResult> flush)
    {
        RequestContext request = exchange.Context;
        exchange.Deadline.WatchIdle(request.UpstreamHeadersAt, route.IdleTimeout);
        exchange.HeadersReceived = true;
        try
        {
            exchange.Deadline.WaitFor(Party.Client);
            FlushResult result = await flush;
            if (exchange.Deadline.Reason != ErrorCategory.None) Fail(exchange, null, ParseStatus.NeedMore);
            else if (result.IsCompleted || result.IsCanceled) request.Fail(ErrorCategory.ClientClosed);
        }
        catch (Exception e) when (e is IOException or OperationCanceledException)
        {
            Fail(exchange, null, ParseStatus.NeedMore);
        }
        exchange.HeadersReceived = false;
    }

    /// <summary>The answer has gone out, or will not: lets go of the connection.</summary>
    public static void EndAnswered(Exchange exchange, BegunAttempt begun)
    {
        Http1Response response = exchange.Http1;
        bool good = exchange.Context.Category == ErrorCategory.None, reusable = response.IsReusable;
        response.End();
        LoopConnection connection = begun.Connection!;
        // A deadline that struck just now has an abort of this very connection on its way.
        if (good && exchange.Deadline.UnguardAndEnd() && reusable) ((LoopUpstream)begun.Endpoint!.Upstream).Return(connection);
        else
        {
            exchange.Deadline.Unguard();
            connection.Close(reset: !good);
        }
    }
}
