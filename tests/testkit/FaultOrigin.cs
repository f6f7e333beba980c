using System.Collections.Concurrent;
using System.Diagnostics;
using System.Net;
using System.Net.Security;
using System.Net.Sockets;
using System.Security.Cryptography.X509Certificates;
using System.Text;

namespace Gateway.TestKit;

/// <summary>
/// An origin over raw sockets, of HTTP/1.1 or HTTP/2, in clear text or over TLS, that can be made faulty, and well again, while it runs. It keeps its port throughout. Every answer
/// names the origin in <c>x-origin</c>. Thread safe.
/// </summary>
public sealed partial class FaultOrigin : IAsyncDisposable
{
    private readonly CancellationTokenSource _stop = new();
    private readonly ConcurrentDictionary<Socket, byte> _connections = new();
    private readonly ConcurrentDictionary<string, long> _hitsByPath = new();
    private readonly ConcurrentDictionary<string, Fault> _faultsByPath = new();
    private readonly ConcurrentDictionary<int, Task> _tasks = new();
    private readonly Lock _gate = new();
    private readonly string _body;
    private readonly OriginProtocol _protocol;
    private readonly X509Certificate2? _certificate;
    private readonly Task _flapping;
    private Socket? _listening;
    private Fault _fault = Fault.None, _now = Fault.None;
    private long _hits, _accepted, _working, _mostWorking;
    private int _taskId;

    private FaultOrigin(string id, string body, OriginProtocol protocol, X509Certificate2? certificate)
    {
        Id = id;
        _body = body;
        (_protocol, _certificate) = (protocol, certificate);
        Listen(0);
        _flapping = FlapAsync();
    }

    /// <summary>Starts a healthy one of HTTP/1.1 on a free port of 127.0.0.1.</summary>
    public static FaultOrigin Start(string id = "origin", string body = "ok\n") => new(id, body, OriginProtocol.Http1, null);

    /// <summary>The same with another protocol.</summary>
    /// <param name="certificates">Issues its certificate, for 127.0.0.1; not looked at in clear text.</param>
    public static FaultOrigin Start(OriginProtocol protocol, TestCertificates certificates, string id = "origin", string body = "ok\n") =>
        new(id, body, protocol, protocol is OriginProtocol.Https or OriginProtocol.Https1 ? certificates.Server(id, "127.0.0.1").Certificate : null);

    public string Id { get; }

    public int Port { get; private set; }

    /// <summary>As a configuration writes it: <c>127.0.0.1:PORT</c>.</summary>
    public string Address => $"127.0.0.1:{Port}";

    /// <summary>Request heads that were read, whatever came of them.</summary>
    public long Hits => Interlocked.Read(ref _hits);

    /// <summary>Connections that were accepted, ever.</summary>
    public long Accepted => Interlocked.Read(ref _accepted);

    /// <summary>The most requests that came in at a time under <see cref="Fault.Capacity"/>: those at work, and those that waited for their turn.</summary>
    public long MostInside => Interlocked.Read(ref _mostWorking);

    /// <summary>Connections that are open now.</summary>
    public int Open => _connections.Count;

    /// <summary>Request heads that were read with that path.</summary>
    public long HitsAt(string path) => _hitsByPath.GetValueOrDefault(path);

    /// <summary>From now on this is wrong with it. What is under way goes on as it began, except that <see cref="Fault.Refuse"/> resets it.</summary>
    public void Become(Fault fault)
    {
        lock (_gate)
        {
            _fault = fault;
            Switch_NeedsLock(fault is Fault.Flaps flaps ? flaps.First : fault);
        }
    }

    /// <summary>The same for one path alone, such as that of probes; null takes it back. Faults of connections are no faults of a path.</summary>
    public void BecomeAt(string path, Fault? fault)
    {
        if (fault is Fault.Refuses or Fault.Accepts or Fault.Flaps or Fault.GoesStale) throw new ArgumentException("a path cannot have this fault", nameof(fault));
        if (fault is null) _ = _faultsByPath.TryRemove(path, out _);
        else _faultsByPath[path] = fault;
    }

    public async ValueTask DisposeAsync()
    {
        await _stop.CancelAsync();
        lock (_gate)
        {
            _listening?.Dispose();
            _listening = null;
        }
        foreach (Socket socket in _connections.Keys) socket.Dispose();
        await _flapping;
        await Task.WhenAll(_tasks.Values);
        _stop.Dispose();
    }

    private void Switch_NeedsLock(Fault fault)
    {
        _now = fault;
        if (_stop.IsCancellationRequested) return;
        if (fault is not Fault.Refuses)
        {
            if (_listening is null) Listen(Port);
            return;
        }
        _listening?.Dispose();
        _listening = null;
        foreach (Socket socket in _connections.Keys) Reset(socket);
    }

    private void Listen(int port)
    {
        var socket = new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp);
        socket.SetSocketOption(SocketOptionLevel.Socket, SocketOptionName.ReuseAddress, true);
        socket.Bind(new IPEndPoint(IPAddress.Loopback, port));
        socket.Listen(1024);
        Port = ((IPEndPoint)socket.LocalEndPoint!).Port;
        _listening = socket;
        Own(() => AcceptAsync(socket));
    }

    private async Task AcceptAsync(Socket listening)
    {
        while (true)
        {
            Socket client;
            try { client = await listening.AcceptAsync(_stop.Token); }
            catch (Exception e) when (e is OperationCanceledException or SocketException or ObjectDisposedException) { return; }
            Interlocked.Increment(ref _accepted);
            client.NoDelay = true;
            _connections[client] = 0;
            Own(() => ServeAsync(client));
        }
    }

    private async Task ServeAsync(Socket socket)
    {
        try
        {
            await using var wire = new NetworkStream(socket, ownsSocket: true);
            if (Now() is Fault.Accepts) await Task.Delay(Timeout.Infinite, _stop.Token);
            await using Stream stream = await SecureAsync(wire);
            if (_protocol is OriginProtocol.H2c or OriginProtocol.Https) await ServeHttp2Async(socket, stream);
            else await ServeHttp1Async(socket, stream);
        }
        catch (Exception e) when (e is IOException or SocketException or OperationCanceledException or ObjectDisposedException or System.Security.Authentication.AuthenticationException)
        {
            // The other side went, or the origin was stopped.
        }
        finally
        {
            _ = _connections.TryRemove(socket, out _);
        }
    }

    private async Task<Stream> SecureAsync(NetworkStream wire)
    {
        if (_certificate is null) return wire;
        var secure = new SslStream(wire);
        SslApplicationProtocol spoken = _protocol == OriginProtocol.Https ? SslApplicationProtocol.Http2 : SslApplicationProtocol.Http11;
        await secure.AuthenticateAsServerAsync(new SslServerAuthenticationOptions { ServerCertificate = _certificate, ApplicationProtocols = [spoken] }, _stop.Token);
        return secure;
    }

    private async Task ServeHttp1Async(Socket socket, Stream stream)
    {
        var reader = new WireReader(stream);
        for (int requests = 1; ; requests++)
        {
            if (Now() is Fault.Accepts) await Task.Delay(Timeout.Infinite, _stop.Token);
            if (await reader.ReadThroughAsync("\r\n\r\n", _stop.Token) is not { } head) return;
            string path = head.Split(' ')[1].Split('?')[0];
            long hit = Count(path);
            // Closed before the body is read, with an RST where there is one: as a server does that closed before it came.
            if (Now() is Fault.GoesStale stale && requests > stale.Requests) return;
            if (RawConnection.HeaderOf(head, "content-length") is { } length) _ = await reader.ReadAsync(int.Parse(length, System.Globalization.CultureInfo.InvariantCulture), _stop.Token);
            if (!await AnswerAsync(FaultOf(path), socket, stream, hit, head.StartsWith("HEAD ", StringComparison.Ordinal))) return;
        }
    }

    private long Count(string path)
    {
        Interlocked.Increment(ref _hits);
        return _hitsByPath.AddOrUpdate(path, 1, static (_, n) => n + 1);
    }

    private Fault FaultOf(string path) => _faultsByPath.GetValueOrDefault(path) ?? Now();

    private static bool Strikes(Fault.Answers answers, long hit) => (long)(hit * answers.Share) != (long)((hit - 1) * answers.Share);

    private async Task WorkAsync(Fault.Works works)
    {
        long now = Interlocked.Increment(ref _working);
        for (long most = Interlocked.Read(ref _mostWorking); now > most; most = Interlocked.Read(ref _mostWorking)) Interlocked.CompareExchange(ref _mostWorking, now, most);
        try
        {
            await works.Workers.WaitAsync(_stop.Token);
            try { await Task.Delay(works.Each, _stop.Token); }
            finally { works.Workers.Release(); }
        }
        finally
        {
            Interlocked.Decrement(ref _working);
        }
    }

    /// <summary>False: the connection is over.</summary>
    private async Task<bool> AnswerAsync(Fault fault, Socket socket, Stream stream, long hit, bool isHead)
    {
        switch (fault)
        {
            case Fault.Answers answers:
                await Task.Delay(answers.HeaderDelay, _stop.Token);
                await SendAsync(stream, Strikes(answers, hit) ? answers.Code : 200, answers.BodyDelay, isHead);
                return true;
            case Fault.Works works:
                await WorkAsync(works);
                await SendAsync(stream, 200, TimeSpan.Zero, isHead);
                return true;
            case Fault.GoesStale:
                await SendAsync(stream, 200, TimeSpan.Zero, isHead);
                return true;
            case Fault.ResetsStream or Fault.GoesAway:
                throw new InvalidOperationException("HTTP/1.1 has no streams to reset.");
            case Fault.Resets resets:
                byte[] whole = Encoding.Latin1.GetBytes(Head(200) + _body);
                await stream.WriteAsync(whole.AsMemory(0, Math.Min(resets.Bytes, whole.Length)), _stop.Token);
                Reset(socket);
                return false;
            case Fault.SendsGarbage:
                await stream.WriteAsync("\x16\x03\x01 this is not HTTP\r\n\r\n"u8.ToArray(), _stop.Token);
                return false;
            case Fault.Refuses:
                return false;
            default:
                // The other side gives up, or the origin is stopped.
                byte[] nothing = new byte[1];
                while (await stream.ReadAsync(nothing, _stop.Token) != 0) { }
                return false;
        }
    }

    private async Task SendAsync(Stream stream, int status, TimeSpan bodyDelay, bool isHead)
    {
        const int parts = 10;
        string head = Head(status);
        if (isHead || bodyDelay == TimeSpan.Zero)
        {
            await stream.WriteAsync(Encoding.Latin1.GetBytes(isHead ? head : head + _body), _stop.Token);
            return;
        }
        await stream.WriteAsync(Encoding.Latin1.GetBytes(head), _stop.Token);
        byte[] body = Encoding.Latin1.GetBytes(_body);
        for (int i = 0; i < parts; i++)
        {
            await Task.Delay(bodyDelay, _stop.Token);
            await stream.WriteAsync(body.AsMemory((body.Length * i / parts)..(body.Length * (i + 1) / parts)), _stop.Token);
        }
    }

    private string Head(int status) => $"HTTP/1.1 {status} Status\r\nx-origin: {Id}\r\nContent-Length: {_body.Length}\r\n\r\n";

    private Fault Now()
    {
        lock (_gate) return _now;
    }

    private async Task FlapAsync()
    {
        using var timer = new PeriodicTimer(TimeSpan.FromMilliseconds(10));
        Fault? seen = null;
        long since = 0;
        try
        {
            while (await timer.WaitForNextTickAsync(_stop.Token))
            {
                lock (_gate)
                {
                    if (!ReferenceEquals(seen, _fault)) (seen, since) = (_fault, Stopwatch.GetTimestamp());
                    if (_fault is not Fault.Flaps flaps) continue;
                    Fault due = (long)(Stopwatch.GetElapsedTime(since) / flaps.Period) % 2 == 0 ? flaps.First : flaps.Second;
                    if (!ReferenceEquals(due, _now)) Switch_NeedsLock(due);
                }
            }
        }
        catch (OperationCanceledException)
        {
            // Stopped.
        }
    }

    private void Own(Func<Task> work)
    {
        int id = Interlocked.Increment(ref _taskId);
        _tasks[id] = Task.Run(async () =>
        {
            await work();
            _ = _tasks.TryRemove(id, out _);
        });
    }

    private static void Reset(Socket socket)
    {
        try
        {
            socket.LingerState = new LingerOption(true, 0);
            socket.Close();
        }
        catch (Exception e) when (e is SocketException or ObjectDisposedException)
        {
            // It is gone already.
        }
    }
}
