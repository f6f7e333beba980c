using System.Buffers.Binary;
using System.Collections.Concurrent;
using System.Globalization;
using System.Net.Sockets;
using System.Text;

namespace Gateway.TestKit;

/// <summary>
/// The same faults over HTTP/2: each stream is answered by itself; what resets or ends a connection does so to all of its streams, as it
/// does anywhere.
/// </summary>
public sealed partial class FaultOrigin
{
    /// <summary>A connection of HTTP/2, whose streams write one after another.</summary>
    private sealed class Http2Wire(Stream stream, CancellationToken stop)
    {
        // Not disposed of: who waits for it then waits for ever, whatever its token says.
        private readonly SemaphoreSlim _writing = new(1);

        /// <summary>Streams that were reset by the client, which nobody answers any more.</summary>
        public ConcurrentDictionary<int, byte> Cancelled { get; } = new();

        public async Task SendAsync(byte type, byte flags, int id, byte[] payload) => await WriteAsync(RawHttp2Client.Frame(type, flags, id, payload));

        public async Task WriteAsync(ReadOnlyMemory<byte> bytes)
        {
            await _writing.WaitAsync(stop);
            try { await stream.WriteAsync(bytes, stop); }
            finally { _writing.Release(); }
        }

        public async Task<Http2Frame> ReadAsync()
        {
            byte[] head = new byte[9];
            await stream.ReadExactlyAsync(head, stop);
            byte[] payload = new byte[(head[0] << 16) | (head[1] << 8) | head[2]];
            await stream.ReadExactlyAsync(payload, stop);
            return new Http2Frame(head[3], head[4], BinaryPrimitives.ReadInt32BigEndian(head.AsSpan(5)) & int.MaxValue, payload);
        }
    }

    private async Task ServeHttp2Async(Socket socket, Stream stream)
    {
        var wire = new Http2Wire(stream, _stop.Token);
        byte[] preface = new byte["PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".Length];
        await stream.ReadExactlyAsync(preface, _stop.Token);
        await wire.SendAsync(Http2Frame.Settings, 0, 0, []);
        Dictionary<int, (string Method, string Path)> open = [];
        int requests = 0, last = 0;
        while (true)
        {
            Http2Frame frame = await wire.ReadAsync();
            switch (frame.Type)
            {
                case Http2Frame.Settings when (frame.Flags & 1) == 0:
                    await wire.SendAsync(Http2Frame.Settings, 1, 0, []);
                    continue;
                case Http2Frame.Ping when (frame.Flags & 1) == 0:
                    await wire.SendAsync(Http2Frame.Ping, 1, 0, frame.Payload);
                    continue;
                case Http2Frame.RstStream:
                    wire.Cancelled[frame.Stream] = 0;
                    open.Remove(frame.Stream);
                    continue;
                case Http2Frame.Headers:
                    (string method, string path) = Hpack.MethodAndPathOf(frame.Payload);
                    open[frame.Stream] = (method, path.Split('?')[0]);
                    requests++;
                    break;
                case Http2Frame.Data when frame.Payload.Length > 0:
                    byte[] more = new byte[4];
                    BinaryPrimitives.WriteInt32BigEndian(more, frame.Payload.Length);
                    await wire.SendAsync(Http2Frame.WindowUpdate, 0, 0, more);
                    if ((frame.Flags & RawHttp2Client.EndStream) == 0) await wire.SendAsync(Http2Frame.WindowUpdate, 0, frame.Stream, more);
                    break;
                case Http2Frame.Data:
                    break;
                default:
                    continue;
            }
            if ((frame.Flags & RawHttp2Client.EndStream) == 0 || !open.Remove(frame.Stream, out (string Method, string Path) request)) continue;
            long hit = Count(request.Path);
            Fault fault = FaultOf(request.Path);
            if (fault is Fault.GoesAway || (fault is Fault.GoesStale stale && requests > stale.Requests))
            {
                await GoAwayAsync(wire, last);
                return;
            }
            last = frame.Stream;
            int id = frame.Stream;
            Own(async () =>
            {
                try
                {
                    await AnswerAsync(fault, socket, wire, id, hit, request.Method == "HEAD");
                }
                catch (Exception e) when (e is IOException or SocketException or OperationCanceledException or ObjectDisposedException)
                {
                    // The connection went, or the origin was stopped.
                }
            });
        }
    }

    private static async Task GoAwayAsync(Http2Wire wire, int last)
    {
        byte[] payload = new byte[8];
        BinaryPrimitives.WriteInt32BigEndian(payload, last);
        await wire.SendAsync(Http2Frame.GoAway, 0, 0, payload);
        // What is still under way gets its answer; the peer closes when it has what it will get.
        while ((await wire.ReadAsync()).Type != Http2Frame.GoAway) { }
    }

    private async Task AnswerAsync(Fault fault, Socket socket, Http2Wire wire, int id, long hit, bool isHead)
    {
        switch (fault)
        {
            case Fault.Answers answers:
                await Task.Delay(answers.HeaderDelay, _stop.Token);
                await SendAsync(wire, id, Strikes(answers, hit) ? answers.Code : 200, answers.BodyDelay, isHead);
                return;
            case Fault.Works works:
                await WorkAsync(works);
                await SendAsync(wire, id, 200, TimeSpan.Zero, isHead);
                return;
            case Fault.GoesStale:
                await SendAsync(wire, id, 200, TimeSpan.Zero, isHead);
                return;
            case Fault.Resets resets:
                byte[] whole = [.. HeadersFrame(id, 200, ends: false), .. RawHttp2Client.Frame(Http2Frame.Data, RawHttp2Client.EndStream, id, Encoding.Latin1.GetBytes(_body))];
                await wire.WriteAsync(whole.AsMemory(0, Math.Min(resets.Bytes, whole.Length)));
                Reset(socket);
                return;
            case Fault.ResetsStream resets:
                if (resets.Code != 7)
                {
                    await wire.WriteAsync(HeadersFrame(id, 200, ends: false));
                    byte[] body = Encoding.Latin1.GetBytes(_body);
                    await wire.SendAsync(Http2Frame.Data, 0, id, body[..Math.Min(resets.Bytes, body.Length)]);
                }
                byte[] code = new byte[4];
                BinaryPrimitives.WriteInt32BigEndian(code, resets.Code);
                await wire.SendAsync(Http2Frame.RstStream, 0, id, code);
                return;
            case Fault.SendsGarbage:
                await wire.WriteAsync("HTTP/1.1 400 this is not HTTP/2\r\n\r\n"u8.ToArray());
                Reset(socket);
                return;
            default:
                // It hangs until the client gives the stream up.
                return;
        }
    }

    private async Task SendAsync(Http2Wire wire, int id, int status, TimeSpan bodyDelay, bool isHead)
    {
        const int parts = 10;
        if (wire.Cancelled.ContainsKey(id)) return;
        await wire.WriteAsync(HeadersFrame(id, status, isHead));
        if (isHead) return;
        byte[] body = Encoding.Latin1.GetBytes(_body);
        int pieces = bodyDelay == TimeSpan.Zero ? 1 : parts;
        for (int i = 0; i < pieces; i++)
        {
            if (bodyDelay > TimeSpan.Zero) await Task.Delay(bodyDelay, _stop.Token);
            if (wire.Cancelled.ContainsKey(id)) return;
            await wire.SendAsync(Http2Frame.Data, i == pieces - 1 ? RawHttp2Client.EndStream : (byte)0, id, body[(body.Length * i / pieces)..(body.Length * (i + 1) / pieces)]);
        }
    }

    private byte[] HeadersFrame(int id, int status, bool ends) => RawHttp2Client.Frame(
        Http2Frame.Headers, (byte)(RawHttp2Client.EndHeaders | (ends ? RawHttp2Client.EndStream : 0)), id,
        RawHttp2Client.Block((":status", status.ToString(CultureInfo.InvariantCulture)), ("x-origin", Id), ("content-length", _body.Length.ToString(CultureInfo.InvariantCulture))));
}
