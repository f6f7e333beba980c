using System.Buffers;
using System.IO.Pipelines;
using Microsoft.AspNetCore.Connections;
using Microsoft.AspNetCore.Connections.Features;

namespace Gateway.DataPlane.Server;

/// <summary>
/// HTTP/1.1 and HTTP/2 by prior knowledge on one clear-text port. Kestrel speaks HTTP/1.1 on such a port whatever comes, so the first
/// bytes are looked at here, without being consumed, and the connection goes down one of two pipelines of the same server.
/// </summary>
internal sealed class PrefaceDispatch(ConnectionDelegate http1, Func<ConnectionDelegate> http2, TimeSpan timeout, TimeProvider time)
{
    /// <summary>RFC 9113 section 3.4. "PRI" is enough: it is no method, and the rest is the HTTP/2 pipeline's to check.</summary>
    private static ReadOnlySpan<byte> Preface => "PRI"u8;

    private enum Verdict { More, Http1, Http2, Closed }

    public async Task OnConnectionAsync(ConnectionContext connection)
    {
        Verdict verdict = Peek(connection.Transport.Input);
        if (verdict == Verdict.More) verdict = await WaitAsync(connection);
        if (verdict == Verdict.Closed) return;
        await (verdict == Verdict.Http2 ? http2() : http1)(connection);
    }

    // What has arrived already decides nearly always, when the transport has read ahead.
    private static Verdict Peek(PipeReader input)
    {
        try
        {
            if (!input.TryRead(out ReadResult read)) return Verdict.More;
            Verdict verdict = Judge(read);
            // Not examined: whoever reads next must get these bytes at once.
            input.AdvanceTo(read.Buffer.Start, verdict == Verdict.More ? read.Buffer.End : read.Buffer.Start);
            return verdict;
        }
        catch (Exception gone) when (IsDeparture(gone))
        {
            return Verdict.Closed;
        }
    }

    private static bool IsDeparture(Exception gone) => gone is IOException or ConnectionAbortedException or OperationCanceledException;

    private async Task<Verdict> WaitAsync(ConnectionContext connection)
    {
        PipeReader input = connection.Transport.Input;
        using CancellationTokenSource giveUp = new(timeout, time);
        // The server tells idle connections to close, and this one is idle: no request has begun.
        CancellationToken closeRequested = connection.Features.Get<IConnectionLifetimeNotificationFeature>()?.ConnectionClosedRequested ?? default;
        using CancellationTokenRegistration onTimeout = giveUp.Token.UnsafeRegister(static reader => ((PipeReader)reader!).CancelPendingRead(), input);
        using CancellationTokenRegistration onClose = closeRequested.UnsafeRegister(static reader => ((PipeReader)reader!).CancelPendingRead(), input);
        try
        {
            while (true)
            {
                ReadResult read = await input.ReadAsync();
                Verdict verdict = read.IsCanceled ? Verdict.Closed : Judge(read);
                input.AdvanceTo(read.Buffer.Start, verdict == Verdict.More ? read.Buffer.End : read.Buffer.Start);
                if (verdict != Verdict.More) return verdict;
            }
        }
        catch (Exception gone) when (IsDeparture(gone))
        {
            return Verdict.Closed;
        }
    }

    private static Verdict Judge(in ReadResult read)
    {
        Span<byte> start = stackalloc byte[3];
        ReadOnlySequence<byte> head = read.Buffer.Slice(0, Math.Min(start.Length, read.Buffer.Length));
        head.CopyTo(start);
        start = start[..(int)head.Length];
        if (!Preface.StartsWith(start)) return Verdict.Http1;
        if (start.Length == Preface.Length) return Verdict.Http2;
        // The end of input with less is a matter for HTTP/1.1, which knows how to end a connection.
        return read.IsCompleted ? Verdict.Http1 : Verdict.More;
    }
}
