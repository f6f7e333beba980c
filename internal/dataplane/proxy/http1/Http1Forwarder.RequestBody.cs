using System.IO.Pipelines;
using Gateway.Core.Http1;
using Gateway.DataPlane.Runtime;
using Gateway.DataPlane.Transport;

namespace Gateway.DataPlane.Proxy.Http1;

/// <summary>The request's body: with its head where it is small and here, else beside the response, and after 100 (Continue) where the client waits for that.</summary>
internal sealed partial class Http1Forwarder
{
    // Larger ones are streamed: copying them would cost more than the call that it saves.
    private const long SmallBody = 16 * 1024;

    // How long a client that expects 100 (Continue) waits before its body is sent all the same (RFC 9110 section 10.1.1; SocketsHttpHandler's default).
    private static readonly TimeSpan ContinuePatience = TimeSpan.FromSeconds(1);

    /// <summary>A body that went out with the head is kept after all: it may have to be sent again, and can be taken from the client only once.</summary>
    private static void KeepSent(Exchange exchange, ReadOnlyMemory<byte> message)
    {
        if (exchange.Kept.Ended) return;
        exchange.Kept.Take(message[^(int)exchange.Context.RequestBytes..]);
        exchange.Kept.Ended = true;
    }

    // What is wrong on the client's side the body's reader meets again, and says whose fault it is.
    private static bool TryRead(PipeReader body, out ReadResult read)
    {
        try
        {
            return body.TryRead(out read);
        }
        catch (Exception gone) when (gone is IOException or OperationCanceledException)
        {
            read = default;
            return false;
        }
    }

    private static bool TakeWhole(Exchange exchange, KestrelDownstream client, ref Http1HeadSink head)
    {
        if (client.RequestHeaders.ContentLength is not { } length || length > SmallBody) return false;
        if (exchange.Kept.Ended)
        {
            head.Raw(exchange.Kept.Bytes.Span);
            return true;
        }
        // The beginning of one that was taken in part is not in the pipe any more.
        if (exchange.Kept.Length != 0 || !TryRead(client.RequestBody, out ReadResult read)) return false;
        bool whole = read.Buffer.Length == length;
        if (whole)
        {
            foreach (ReadOnlyMemory<byte> part in read.Buffer) head.Raw(part.Span);
            exchange.Context.RequestBytes = length;
        }
        // What is not taken is not looked at either: the next read gives it again at once.
        client.RequestBody.AdvanceTo(whole ? read.Buffer.End : read.Buffer.Start);
        return whole;
    }

    /// <summary>Sends the body once the upstream asks for it, or has not answered for a while.</summary>
    private static async ValueTask<ParseStatus> ReadHeadAfterContinueAsync(
        Exchange exchange, Http1Response response, RequestBodyContent body, LoopConnection connection)
    {
        bool toHead = exchange.Downstream.Method == "HEAD";
        bool started = false;
        while (true)
        {
            ValueTask<ParseStatus> reading = response.ReadHeadAsync(toHead);
            ParseStatus status;
            if (started || reading.IsCompleted) status = await reading;
            else
            {
                Task<ParseStatus> head = reading.AsTask();
                await Task.WhenAny(head, Task.Delay(ContinuePatience));
                await connection.Loop.Switch();
                if (!head.IsCompleted)
                {
                    started = true;
                    exchange.Sending = SendBodyAsync(exchange, body, connection);
                }
                status = await head;
            }
            await connection.Loop.Switch();
            if (status != ParseStatus.Complete || !response.Head.IsInterim) return status;
            if (response.Head.Status != 100 || started) continue;
            started = true;
            exchange.Sending = SendBodyAsync(exchange, body, connection);
        }
    }

    private static async Task SendBodyAsync(Exchange exchange, RequestBodyContent body, LoopConnection connection)
    {
        bool chunked = body.Headers.ContentLength is null;
        var target = new Http1RequestBody(connection, chunked);
        try
        {
            await body.CopyToAsync(target, exchange.Deadline.Token);
            await target.FinishAsync(TrailerSection.Lines(exchange.Downstream.RequestTrailers));
        }
        catch (Exception e) when (e is IOException or OperationCanceledException or HttpRequestException or Microsoft.AspNetCore.Http.BadHttpRequestException)
        {
            // Whose fault it was the content remembers. If the upstream stopped taking it, an answer that explains why may be on its way; if the
            // client stopped sending, the upstream must not take what came for the whole.
            if (body.Failure != ErrorCategory.None) connection.Abort();
        }
    }
}
