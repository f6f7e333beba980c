using System.Buffers;
using System.IO.Pipelines;
using System.Net;
using Gateway.Config;
using Gateway.Core.ProxyProto;
using Gateway.DataPlane.Runtime;
using Microsoft.AspNetCore.Connections;
using Microsoft.AspNetCore.Connections.Features;
using Microsoft.Extensions.Logging;
using ReadResult = System.IO.Pipelines.ReadResult;

namespace Gateway.DataPlane.Server;

/// <summary>
/// Takes the PROXY header off a new connection, before TLS and HTTP, and gives the connection the addresses that it names: everything above
/// sees the client and not the balancer. The listener's settings of the moment hold; a connection without them passes straight through.
/// </summary>
internal sealed class ProxyHeaderReader(ConnectionDelegate next, ListenerState listener, TimeProvider time, ILogger logger)
{
    private enum Verdict { More, Serve, Closed }

    public Task OnConnectionAsync(ConnectionContext connection)
    {
        ListenerModel model = listener.LastModel!;
        ProxyProtocolMode mode = model.Config.ProxyProtocol;
        if (mode == ProxyProtocolMode.Off) return next(connection);
        // Over a Unix socket the file's permissions say who is trusted.
        bool trusted = model.TrustedProxies.Length == 0 || connection.RemoteEndPoint is not IPEndPoint peer || model.Trusts(peer.Address);
        if (trusted) return ReadAsync(connection, mode == ProxyProtocolMode.Required, model.Config.Limits.HeaderTimeout);
        if (mode == ProxyProtocolMode.Optional) return next(connection);
        Refused(connection, ProxyHeaderFault.Untrusted);
        return Task.CompletedTask;
    }

    private async Task ReadAsync(ConnectionContext connection, bool required, TimeSpan timeout)
    {
        Verdict verdict;
        try
        {
            PipeReader input = connection.Transport.Input;
            // With the first bytes of a connection nearly always comes the whole header.
            verdict = input.TryRead(out ReadResult read) ? Judge(connection, input, read, required) : Verdict.More;
            if (verdict == Verdict.More) verdict = await WaitAsync(connection, input, required, timeout);
        }
        catch (Exception gone) when (gone is IOException or ConnectionAbortedException or OperationCanceledException)
        {
            return;
        }
        if (verdict == Verdict.Serve) await next(connection);
    }

    private async Task<Verdict> WaitAsync(ConnectionContext connection, PipeReader input, bool required, TimeSpan timeout)
    {
        using CancellationTokenSource giveUp = new(timeout, time);
        // The server tells idle connections to close, and on this one no request has begun.
        CancellationToken closeRequested = connection.Features.Get<IConnectionLifetimeNotificationFeature>()?.ConnectionClosedRequested ?? default;
        using CancellationTokenRegistration onTimeout = giveUp.Token.UnsafeRegister(static reader => ((PipeReader)reader!).CancelPendingRead(), input);
        using CancellationTokenRegistration onClose = closeRequested.UnsafeRegister(static reader => ((PipeReader)reader!).CancelPendingRead(), input);
        while (true)
        {
            ReadResult read = await input.ReadAsync();
            if (read.IsCanceled)
            {
                input.AdvanceTo(read.Buffer.Start);
                if (!closeRequested.IsCancellationRequested) Refused(connection, ProxyHeaderFault.Timeout);
                return Verdict.Closed;
            }
            Verdict verdict = Judge(connection, input, read, required);
            if (verdict != Verdict.More) return verdict;
        }
    }

    private Verdict Judge(ConnectionContext connection, PipeReader input, in ReadResult read, bool required)
    {
        ReadOnlySequence<byte> buffer = read.Buffer;
        ProxyHeaderStatus status = Parse(buffer, out ProxyHeader header);
        if (status == ProxyHeaderStatus.NeedMore && !read.IsCompleted)
        {
            input.AdvanceTo(buffer.Start, buffer.End);
            return Verdict.More;
        }
        // What comes after the header is not examined: who reads next must get it at once.
        SequencePosition end = buffer.GetPosition(status == ProxyHeaderStatus.Complete ? header.Length : 0);
        input.AdvanceTo(end, end);
        switch (status)
        {
            case ProxyHeaderStatus.Complete:
                Apply(connection, header);
                return Verdict.Serve;
            // A balancer that only looks whether the port is open says nothing and closes.
            case ProxyHeaderStatus.NeedMore when buffer.IsEmpty:
                return Verdict.Closed;
            case ProxyHeaderStatus.NeedMore when !required:
            case ProxyHeaderStatus.Absent when !required:
                return Verdict.Serve;
            default:
                Refused(connection, status == ProxyHeaderStatus.Absent ? ProxyHeaderFault.Missing : ProxyHeaderFault.Malformed);
                return Verdict.Closed;
        }
    }

    private static ProxyHeaderStatus Parse(in ReadOnlySequence<byte> buffer, out ProxyHeader header)
    {
        if (buffer.IsSingleSegment) return ProxyHeader.Parse(buffer.FirstSpan, out header);
        Span<byte> copy = stackalloc byte[ProxyHeader.MaxLength];
        ReadOnlySequence<byte> start = buffer.Slice(0, Math.Min(copy.Length, buffer.Length));
        start.CopyTo(copy);
        return ProxyHeader.Parse(copy[..(int)start.Length], out header);
    }

    private static void Apply(ConnectionContext connection, in ProxyHeader header)
    {
        if (header.Source is null && !header.IsUnix) return;
        connection.RemoteEndPoint = header.Source;
        connection.LocalEndPoint = header.Destination ?? connection.LocalEndPoint;
    }

    private void Refused(ConnectionContext connection, ProxyHeaderFault fault)
    {
        // About once per power of two: bounded, and needs no clock.
        if (long.IsPow2(listener.ProxyHeaders.Add(fault)))
            ServerLog.ProxyHeaderRefused(logger, listener.Name, connection.RemoteEndPoint?.ToString() ?? "a Unix socket", ProxyHeaderCount.LabelOf(fault));
    }
}
