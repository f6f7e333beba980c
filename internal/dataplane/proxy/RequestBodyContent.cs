using System.Buffers;
using System.IO.Pipelines;
using System.Net;
using Gateway.DataPlane.Runtime;
using Microsoft.AspNetCore.Connections;
using Microsoft.AspNetCore.Http;

namespace Gateway.DataPlane.Proxy;

/// <summary>
/// The client's body as the upstream request's content: read from the client's pipe only as fast as the upstream takes it. Over HTTP/2 it
/// goes on while the response already comes. Ends with <see cref="StopAsync"/>, after which nothing of it touches the client any more.
/// </summary>
internal sealed class RequestBodyContent : HttpContent
{
    private readonly Exchange _exchange;
    private readonly PipeReader _reader;
    private readonly long? _length;
    private readonly long _limit;
    private readonly TimeSpan _attemptTimeout;
    private readonly TaskCompletionSource _done = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private int _state;
    private volatile bool _interrupted;

    private const int Idle = 0, Running = 1, Closed = 2;

    /// <param name="length">As the client declared it; null when it is unknown.</param>
    /// <param name="limit">Bytes; 0 for no limit.</param>
    public RequestBodyContent(Exchange exchange, long? length, long limit, TimeSpan attemptTimeout)
    {
        _exchange = exchange;
        _reader = exchange.Downstream.RequestBody;
        _length = length;
        _limit = limit;
        _attemptTimeout = attemptTimeout;
        if (length is not null) Headers.ContentLength = length;
    }

    /// <summary>The whole body has gone upstream.</summary>
    public bool IsComplete { get; private set; }

    /// <summary>Why the body ended early on the client's side; None when it did not.</summary>
    public ErrorCategory Failure { get; private set; }
    public string? FailureDetail { get; private set; }

    protected override bool TryComputeLength(out long length)
    {
        length = _length ?? 0;
        return _length is not null;
    }

    protected override Task SerializeToStreamAsync(Stream stream, TransportContext? context) =>
        SerializeToStreamAsync(stream, context, CancellationToken.None);

    protected override async Task SerializeToStreamAsync(Stream stream, TransportContext? context, CancellationToken cancellationToken)
    {
        // Read once: a second try of the handler's would send what is left of it as if it were all.
        if (Interlocked.CompareExchange(ref _state, Running, Idle) != Idle) throw new IOException("The request body cannot be sent again.");
        try
        {
            await CopyAsync(stream, cancellationToken);
            IsComplete = true;
        }
        finally
        {
            _done.SetResult();
        }
    }

    /// <summary>
    /// Ends the copying, for the body is to be sent again: what has been taken of it stays in <see cref="Exchange.Kept"/>. To be followed by
    /// the end of the upstream's connection, on which it may wait, and by <see cref="StopAsync"/>.
    /// </summary>
    public void Interrupt()
    {
        _interrupted = true;
        // Not by the token: a reader of Kestrel's whose read was cancelled by one reads no more.
        if (Volatile.Read(ref _state) == Running && !IsComplete) CancelRead(_reader);
    }

    /// <summary>Waits until the copying has ended; the caller has cancelled it before.</summary>
    public Task StopAsync() => Interlocked.CompareExchange(ref _state, Closed, Idle) == Idle ? Task.CompletedTask : _done.Task;

    private async Task CopyAsync(Stream stream, CancellationToken cancellationToken)
    {
        RequestDeadline deadline = _exchange.Deadline;
        // While the client sends, the upstream has no reason to answer: its time starts with the last byte.
        deadline.EndAttempt();
        KeptBody kept = _exchange.Kept;
        long sent = kept.Length;
        if (sent != 0) await stream.WriteAsync(kept.Bytes, cancellationToken);
        while (!kept.Ended)
        {
            ReadResult read = await ReadAsync(stream, cancellationToken);
            deadline.Moved();
            ReadOnlySequence<byte> buffer = read.Buffer;
            // Before it is sent, for that may fail midway.
            if (!_exchange.HeadersReceived) kept.Take(buffer);
            else kept.Forget();
            try
            {
                if (_limit != 0 && sent + buffer.Length > _limit) Refuse(ErrorCategory.RequestTooLarge, "The request body is larger than the route accepts.");
                foreach (ReadOnlyMemory<byte> segment in buffer)
                {
                    await stream.WriteAsync(segment, cancellationToken);
                    sent += segment.Length;
                    deadline.Moved();
                }
            }
            finally
            {
                _reader.AdvanceTo(buffer.End);
            }
            _exchange.Context.RequestBytes = sent;
            if (read.IsCompleted) kept.Ended = true;
            // A cancellation that came too late for the attempt that it was meant for ends nothing.
            else if (read.IsCanceled && _interrupted) throw new IOException("The request body is sent again.");
        }
        if (!_exchange.HeadersReceived) deadline.BeginAttempt(_attemptTimeout);
    }

    private async ValueTask<ReadResult> ReadAsync(Stream stream, CancellationToken cancellationToken)
    {
        try
        {
            if (_reader.TryRead(out ReadResult read)) return read;
        }
        catch (IOException e)
        {
            throw Broken(e);
        }
        // Nothing more is there now: what was written must not wait for what comes.
        await stream.FlushAsync(cancellationToken);
        RequestDeadline deadline = _exchange.Deadline;
        try
        {
            deadline.WaitFor(Party.Client);
            // Not cancelled by the token: Kestrel would take the read for still under way, and fail when it drains what the client sends on.
            ValueTask<ReadResult> reading = _reader.ReadAsync(CancellationToken.None);
            if (reading.IsCompleted) return await reading;
            ReadResult read;
            await using (cancellationToken.UnsafeRegister(static reader => CancelRead((PipeReader)reader!), _reader)) read = await reading;
            if (!read.IsCanceled || !cancellationToken.IsCancellationRequested) return read;
            _reader.AdvanceTo(read.Buffer.Start);
            throw new OperationCanceledException(cancellationToken);
        }
        catch (IOException e)
        {
            throw Broken(e);
        }
        finally
        {
            deadline.WaitFor(Party.Upstream);
        }
    }

    private static void CancelRead(PipeReader reader)
    {
        try
        {
            reader.CancelPendingRead();
        }
        catch (Exception gone) when (gone is IOException or OperationCanceledException)
        {
            // Kestrel's says so of a stream that the client has reset, even here. Its read has ended by that, and whoever cancels must not fail over it.
        }
    }

    private IOException Broken(IOException error)
    {
        (Failure, FailureDetail) = error switch
        {
            BadHttpRequestException { StatusCode: 408 } => (ErrorCategory.RequestTimeoutClient, "The request body came too slowly."),
            BadHttpRequestException { StatusCode: 413 } => (ErrorCategory.RequestTooLarge, "The request body is larger than the listener accepts."),
            ConnectionResetException => (ErrorCategory.ClientClosed, null),
            _ when _exchange.Downstream.Aborted.IsCancellationRequested => (ErrorCategory.ClientClosed, null),
            _ => (ErrorCategory.BadRequest, "The request body is malformed."),
        };
        return new IOException(FailureDetail, error);
    }

    private void Refuse(ErrorCategory category, string detail)
    {
        Failure = category;
        FailureDetail = detail;
        throw new IOException(detail);
    }
}
