using System.IO.Pipelines;
using System.Runtime.CompilerServices;
using Gateway.DataPlane.Proxy.Direct;
using Gateway.DataPlane.Proxy.Http1;
using Gateway.DataPlane.Runtime;
using Gateway.DataPlane.Transport;

namespace Gateway.DataPlane.Proxy;

/// <summary>How a response body ended.</summary>
internal enum CopyOutcome : byte
{
    Complete,
    ClientGone,
}

/// <summary>
/// Moves a response body to the client as it comes: nothing is held back while the upstream pauses, several pieces that are already there
/// go out in one flush, and the upstream is read only as fast as the client takes. While waiting it holds no buffer.
/// </summary>
internal static partial class ResponseBodyCopier
{
    private const int SmallRead = 4096;
    // Where both sides are always ready, others get their turn after so much.
    private const int MostFlushes = 8;
    private const int FlushAt = 128 * 1024 - 4096;
    // As much as goes out in one flush.
    private const int LargeRead = FlushAt;

    // "FFFF" CR LF before a chunk's data, CR LF after it. Leading zeros are legal in a chunk size (RFC 9112 section 7.1).
    private const int ChunkHead = 6, ChunkTail = 2;
    private const int LargestChunk = 0xFFFF;

    /// <summary>Sends a body that is all there, with its head before it. False: the client has gone.</summary>
    [AsyncMethodBuilder(typeof(LoopTaskMethodBuilder<>))]
    public static async ValueTask<bool> WriteWholeAsync(ReadOnlyMemory<byte> body, Exchange exchange)
    {
        PipeWriter writer = exchange.Downstream.ResponseBody;
        if (exchange.Downstream.Protocol != "HTTP/2") await exchange.Downstream.StartResponseAsync();
        body.Span.CopyTo(writer.GetSpan(body.Length));
        writer.Advance(body.Length);
        exchange.Context.ResponseBytes += body.Length;
        return await FlushAsync(writer, exchange.Deadline);
    }

    /// <summary>
    /// A body without framing from a connection of this loop: received straight into the client's buffer, as much as goes out in one
    /// flush, without asking first whether there is something.
    /// </summary>
    [AsyncMethodBuilder(typeof(LoopTaskMethodBuilder<>))]
    public static async ValueTask<CopyOutcome> CopyPlainAsync(Http1Response source, Exchange exchange)
    {
        PipeWriter writer = exchange.Downstream.ResponseBody;
        RequestDeadline deadline = exchange.Deadline;
        await exchange.Downstream.StartResponseAsync();
        int pending = 0, inARow = 0;
        while (!source.BodyEnded)
        {
            if (!source.HasBuffered && source.Left >= SpliceFrom && source.Left != long.MaxValue && (writer as DirectBody)?.Socket is { } socket && SplicePipe.Take() is { } pipe)
            {
                if (!await FlushAsync(writer, deadline)) return Give(pipe);
                return await SpliceAsync(source, exchange, (DirectBody)writer, socket, pipe);
            }
            // A flush of HTTP/2 ends on the thread pool.
            if (EventLoop.Current != source.Loop) await source.Loop.Switch();
            // One byte more than is due: see TryReadPlain. How much is due may be anything up to the largest number.
            int room = Math.Max(FlushAt - pending, SmallRead);
            int size = source.Left < room ? (int)source.Left + 1 : room;
            if (source.TryReadPlain(writer.GetSpan(size), out int read))
            {
                writer.Advance(read);
                exchange.Context.ResponseBytes += read;
                pending += read;
                if (pending < FlushAt) continue;
            }
            else writer.Advance(0);
            // Also when nothing is pending: the head may be, and the buffer goes back before a wait.
            if (!await FlushAsync(writer, deadline)) return CopyOutcome.ClientGone;
            pending = 0;
            if (source.BodyEnded) break;
            if (EventLoop.Current != source.Loop) await source.Loop.Switch();
            deadline.Moved();
            if (source.MayRead && ++inARow == MostFlushes)
            {
                inARow = 0;
                await source.Loop.Yield();
            }
            _ = await source.WaitAsync();
        }
        return pending == 0 || await FlushAsync(writer, deadline) ? CopyOutcome.Complete : CopyOutcome.ClientGone;
    }

    /// <param name="chunked">Write the chunk framing too: the application, not the server, has chosen it.</param>
    [AsyncMethodBuilder(typeof(LoopTaskMethodBuilder<>))]
    public static async ValueTask<CopyOutcome> CopyAsync(Stream source, Exchange exchange, bool chunked)
    {
        PipeWriter writer = exchange.Downstream.ResponseBody;
        RequestDeadline deadline = exchange.Deadline;
        CancellationToken cancellation = deadline.Token;
        int size = SmallRead;
        // On HTTP/2 the head is left to the first flush: a response that turns out to be empty is then one frame that ends the stream,
        // as gRPC's trailers-only form must be. On HTTP/1.1, what is written before the start would be copied once more.
        if (exchange.Downstream.Protocol != "HTTP/2") await exchange.Downstream.StartResponseAsync();
        bool unflushed = true;
        int pending = 0;
        while (true)
        {
            ValueTask<int> ready = source.ReadAsync(Memory<byte>.Empty, cancellation);
            if (!ready.IsCompleted)
            {
                if (unflushed)
                {
                    if (!await FlushAsync(writer, deadline)) return Abandon(ready);
                    unflushed = false;
                    pending = 0;
                }
                deadline.Moved();
            }
            await ready;

            int read = exchange.Downstream.ResponseStarted
                ? await ReadIntoAsync(source, exchange, writer, size, chunked, cancellation)
                : await ReadAndStartAsync(source, exchange, cancellation);
            if (read == 0)
            {
                // Kestrel does not flush what is left of a body of known length.
                if (pending != 0 && !await FlushAsync(writer, deadline)) return CopyOutcome.ClientGone;
                return CopyOutcome.Complete;
            }
            exchange.Context.ResponseBytes += read;
            unflushed = true;
            pending += read;
            if (read >= size - ChunkHead - ChunkTail) size = LargeRead;
            if (pending < FlushAt) continue;
            if (!await FlushAsync(writer, deadline)) return CopyOutcome.ClientGone;
            unflushed = false;
            pending = 0;
        }
    }

    // The head must be out before a byte of the body is written: an error then cuts the response off, and never goes in between.
    [AsyncMethodBuilder(typeof(LoopTaskMethodBuilder<>))]
    private static async ValueTask<int> ReadAndStartAsync(Stream source, Exchange exchange, CancellationToken cancellation)
    {
        byte[] first = LoopBuffers.Rent(SmallRead);
        try
        {
            int read = await source.ReadAsync(first.AsMemory(0, SmallRead), cancellation);
            if (read == 0) return 0;
            if (IsTooMuch(read, exchange)) TooMuch();
            await exchange.Downstream.StartResponseAsync();
            PipeWriter writer = exchange.Downstream.ResponseBody;
            first.AsMemory(0, read).CopyTo(writer.GetMemory(read));
            writer.Advance(read);
            return read;
        }
        finally
        {
            LoopBuffers.Return(first);
        }
    }

    [AsyncMethodBuilder(typeof(LoopTaskMethodBuilder<>))]
    private static async ValueTask<int> ReadIntoAsync(Stream source, Exchange exchange, PipeWriter writer, int size, bool chunked, CancellationToken cancellation)
    {
        Memory<byte> memory = writer.GetMemory(size);
        if (!chunked)
        {
            int n = await source.ReadAsync(memory, cancellation);
            bool tooMuch = IsTooMuch(n, exchange);
            writer.Advance(tooMuch ? 0 : n);
            if (tooMuch) TooMuch();
            return n;
        }
        int room = Math.Min(memory.Length - ChunkHead - ChunkTail, LargestChunk);
        int read = await source.ReadAsync(memory.Slice(ChunkHead, room), cancellation);
        if (read == 0)
        {
            writer.Advance(0);
            return 0;
        }
        Span<byte> chunk = memory.Span;
        read.TryFormat(chunk, out _, "X4");
        "\r\n"u8.CopyTo(chunk[4..]);
        "\r\n"u8.CopyTo(chunk[(ChunkHead + read)..]);
        writer.Advance(ChunkHead + read + ChunkTail);
        return read;
    }

    // .NET's handler takes more of a body over HTTP/2 than its head has promised. On to the client it would be the beginning of the next response.
    private static bool IsTooMuch(int read, Exchange exchange) => exchange.Downstream.ResponseHeaders.ContentLength is { } length && read > length - exchange.Context.ResponseBytes;

    private static void TooMuch() => throw new HttpIOException(HttpRequestError.InvalidResponse, "The upstream sent more than its Content-Length.");

    [AsyncMethodBuilder(typeof(LoopTaskMethodBuilder<>))]
    private static async ValueTask<bool> FlushAsync(PipeWriter writer, RequestDeadline deadline)
    {
        ValueTask<FlushResult> flush = writer.FlushAsync(deadline.Token);
        FlushResult result;
        if (flush.IsCompletedSuccessfully) result = flush.GetAwaiter().GetResult();
        else
        {
            deadline.WaitFor(Party.Client);
            result = await flush;
            deadline.WaitFor(Party.Upstream);
        }
        if (deadline.Reason != ErrorCategory.None) throw new OperationCanceledException();
        return !result.IsCompleted && !result.IsCanceled;
    }

    // The pending read belongs to the source, which is disposed of next: its failure is expected, and observed here.
    private static CopyOutcome Abandon(ValueTask<int> read)
    {
        _ = read.AsTask().ContinueWith(static t => _ = t.Exception, CancellationToken.None, TaskContinuationOptions.OnlyOnFaulted, TaskScheduler.Default);
        return CopyOutcome.ClientGone;
    }
}
