using System.Buffers.Binary;
using System.Collections.Concurrent;
using System.Net;
using System.Net.Security;
using System.Net.Sockets;
using System.Security.Cryptography.X509Certificates;
using System.Text;

namespace Gateway.TestKit;

/// <summary>What a <see cref="GoAwayOrigin"/> does on its first connections.</summary>
/// <param name="Connections">So many of them go away; the later ones serve.</param>
/// <param name="Answered">Streams that are answered on each of those.</param>
/// <param name="Beyond">Streams above the last one that is answered that must have come before the GOAWAY says so.</param>
public sealed record GoAwayPlan(int Connections, int Answered, int Beyond);

/// <summary>
/// An HTTP/2 origin over raw frames that sends GOAWAY in the middle of its traffic: it lets more streams come than it will serve, names the
/// last one that it serves, answers up to that and nothing above it, and closes. Answers 200 with what it was sent. Thread safe.
/// </summary>
public sealed class GoAwayOrigin : IAsyncDisposable
{
    private readonly GoAwayPlan _plan;
    private readonly X509Certificate2? _certificate;
    private readonly CancellationTokenSource _stop = new();
    private readonly TcpListener _listener = new(IPAddress.Loopback, 0);
    private readonly ConcurrentBag<Task> _serving = [];
    private readonly ConcurrentQueue<string> _processed = new();
    private readonly Task _accepting;
    private int _connections, _goneAway, _refused;

    private GoAwayOrigin(GoAwayPlan plan, X509Certificate2? certificate)
    {
        (_plan, _certificate) = (plan, certificate);
        _listener.Start();
        _accepting = AcceptAsync();
    }

    /// <param name="certificate">Null for clear text with prior knowledge.</param>
    public static GoAwayOrigin Start(GoAwayPlan plan, X509Certificate2? certificate = null) => new(plan, certificate);

    /// <summary>As a configuration writes it: <c>127.0.0.1:PORT</c>.</summary>
    public string Address => $"127.0.0.1:{((IPEndPoint)_listener.LocalEndpoint).Port}";

    /// <summary>The bodies of the requests that were answered, in the order in which they were.</summary>
    public IReadOnlyList<string> Processed => [.. _processed];

    /// <summary>Connections that went away.</summary>
    public int GoneAway => Volatile.Read(ref _goneAway);

    /// <summary>Streams that were above the last one served.</summary>
    public int Refused => Volatile.Read(ref _refused);

    public async ValueTask DisposeAsync()
    {
        await _stop.CancelAsync();
        _listener.Stop();
        await _accepting;
        await Task.WhenAll(_serving);
        _stop.Dispose();
    }

    private async Task AcceptAsync()
    {
        while (true)
        {
            TcpClient client;
            try { client = await _listener.AcceptTcpClientAsync(_stop.Token); }
            catch (Exception e) when (e is OperationCanceledException or SocketException or ObjectDisposedException) { return; }
            client.NoDelay = true;
            _serving.Add(Task.Run(() => ServeAsync(client)));
        }
    }

    private async Task ServeAsync(TcpClient client)
    {
        try
        {
            await using Stream stream = await SecureAsync(client.GetStream());
            byte[] preface = new byte["PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".Length];
            await stream.ReadExactlyAsync(preface, _stop.Token);
            await SendAsync(stream, Http2Frame.Settings, 0, 0, []);
            bool goesAway = Interlocked.Increment(ref _connections) <= _plan.Connections;
            await ServeAsync(stream, goesAway);
        }
        catch (Exception e) when (e is IOException or SocketException or OperationCanceledException or ObjectDisposedException)
        {
            // The other side went, or the origin was stopped.
        }
        finally
        {
            client.Dispose();
        }
    }

    private async Task<Stream> SecureAsync(Stream stream)
    {
        if (_certificate is null) return stream;
        var secure = new SslStream(stream);
        await secure.AuthenticateAsServerAsync(new SslServerAuthenticationOptions { ServerCertificate = _certificate, ApplicationProtocols = [SslApplicationProtocol.Http2] }, _stop.Token);
        return secure;
    }

    private async Task ServeAsync(Stream stream, bool goesAway)
    {
        Dictionary<int, StringBuilder> open = [];
        List<int> whole = [];
        List<int> began = [];
        while (true)
        {
            Http2Frame frame = await ReadAsync(stream);
            switch (frame.Type)
            {
                case Http2Frame.Settings when (frame.Flags & 1) == 0:
                    await SendAsync(stream, Http2Frame.Settings, 1, 0, []);
                    continue;
                case Http2Frame.Ping when (frame.Flags & 1) == 0:
                    await SendAsync(stream, Http2Frame.Ping, 1, 0, frame.Payload);
                    continue;
                case Http2Frame.Headers:
                    open[frame.Stream] = new StringBuilder();
                    began.Add(frame.Stream);
                    break;
                case Http2Frame.Data when open.TryGetValue(frame.Stream, out StringBuilder? body):
                    body.Append(Encoding.Latin1.GetString(frame.Payload));
                    break;
                default:
                    continue;
            }
            if ((frame.Flags & RawHttp2Client.EndStream) != 0) whole.Add(frame.Stream);
            if (!goesAway)
            {
                foreach (int done in whole) await AnswerAsync(stream, done, open[done].ToString());
                whole.Clear();
                continue;
            }
            // All that is to be served is here, and some that is not.
            if (began.Count < _plan.Answered + _plan.Beyond || began.Take(_plan.Answered).Except(whole).Any()) continue;
            byte[] last = new byte[8];
            BinaryPrimitives.WriteInt32BigEndian(last, began[_plan.Answered - 1]);
            await SendAsync(stream, Http2Frame.GoAway, 0, 0, last);
            Interlocked.Increment(ref _goneAway);
            foreach (int done in began.Take(_plan.Answered)) await AnswerAsync(stream, done, open[done].ToString());
            Interlocked.Add(ref _refused, began.Count - _plan.Answered);
            // What still comes is above the last one; the peer closes when it has what it will get.
            while (true)
            {
                if ((await ReadAsync(stream)).Type == Http2Frame.Headers) Interlocked.Increment(ref _refused);
            }
        }
    }

    private async Task AnswerAsync(Stream stream, int id, string body)
    {
        _processed.Enqueue(body);
        // ":status: 200" is entry 8 of HPACK's static table.
        await SendAsync(stream, Http2Frame.Headers, RawHttp2Client.EndHeaders, id, [0x88]);
        await SendAsync(stream, Http2Frame.Data, RawHttp2Client.EndStream, id, Encoding.Latin1.GetBytes(body));
    }

    private async Task<Http2Frame> ReadAsync(Stream stream)
    {
        byte[] head = new byte[9];
        await stream.ReadExactlyAsync(head, _stop.Token);
        byte[] payload = new byte[(head[0] << 16) | (head[1] << 8) | head[2]];
        await stream.ReadExactlyAsync(payload, _stop.Token);
        return new Http2Frame(head[3], head[4], BinaryPrimitives.ReadInt32BigEndian(head.AsSpan(5)) & int.MaxValue, payload);
    }

    private async Task SendAsync(Stream stream, byte type, byte flags, int id, byte[] payload) =>
        await stream.WriteAsync(RawHttp2Client.Frame(type, flags, id, payload), _stop.Token);
}
