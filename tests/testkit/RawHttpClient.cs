using System.Globalization;
using System.Net;
using System.Net.Security;
using System.Net.Sockets;
using System.Security.Cryptography.X509Certificates;
using System.Text;

namespace Gateway.TestKit;

/// <summary>How the body of a response ended.</summary>
public enum BodyEnd
{
    /// <summary>There was none to read (HEAD, 204, 304, an upgrade).</summary>
    NoBody,

    /// <summary>Content-Length reached.</summary>
    Length,

    /// <summary>The last chunk and the trailers were read.</summary>
    LastChunk,

    /// <summary>No framing: the connection was closed in order.</summary>
    Close,

    /// <summary>The connection ended before the framing said so: never a whole response.</summary>
    Died,
}

/// <summary>A response as it came over the wire.</summary>
public sealed class RawResponse
{
    public required string Version { get; init; }
    public required int Status { get; init; }
    public required string Reason { get; init; }

    /// <summary>Header fields in order, names as sent.</summary>
    public required IReadOnlyList<KeyValuePair<string, string>> Headers { get; init; }

    /// <summary>Interim (1xx) responses that came before, in order.</summary>
    public IReadOnlyList<RawResponse> Interim { get; init; } = [];

    public byte[] Body { get; set; } = [];
    public BodyEnd End { get; set; }
    public IReadOnlyList<KeyValuePair<string, string>> Trailers { get; set; } = [];

    /// <summary>Sizes of the chunks as sent.</summary>
    public IReadOnlyList<int> Chunks { get; set; } = [];

    public string Text => Encoding.UTF8.GetString(Body);

    /// <summary>The body was received whole.</summary>
    public bool IsWhole => End != BodyEnd.Died;

    /// <summary>The values of the field joined with ", "; null when it is not there.</summary>
    public string? this[string name]
    {
        get
        {
            string[] values = [.. Headers.Where(h => h.Key.Equals(name, StringComparison.OrdinalIgnoreCase)).Select(h => h.Value)];
            return values.Length == 0 ? null : string.Join(", ", values);
        }
    }

    public override string ToString() => $"{Version} {Status} {Reason} [{string.Join("; ", Headers.Select(h => $"{h.Key}: {h.Value}"))}] {End} {Text}";
}

/// <summary>
/// Sends raw bytes over TCP, TLS or a unix socket and reads HTTP/1.1 responses precisely: heads, framing, trailers, and whether an end was
/// clean. One connection; a request after the other is keep-alive.
/// </summary>
public sealed class RawHttpClient : IAsyncDisposable
{
    private readonly Socket _socket;
    private readonly Stream _stream;
    private readonly WireReader _reader;

    private RawHttpClient(Socket socket, Stream stream)
    {
        _socket = socket;
        _stream = stream;
        _reader = new WireReader(stream);
    }

    /// <summary>Longest wait for any single step.</summary>
    public TimeSpan Deadline { get; set; } = Eventually.DefaultDeadline;

    /// <summary>How the server ended the connection, as far as was read.</summary>
    public WireEnd End => _reader.End;

    /// <summary>The negotiated TLS connection; null without TLS.</summary>
    public SslStream? Tls => _stream as SslStream;

    /// <summary>Connects to the host and port of an address such as <c>http://127.0.0.1:8080</c>; never TLS, whatever its scheme.</summary>
    /// <param name="from">The address to come from, one of this machine's; null for the system's choice.</param>
    public static async Task<RawHttpClient> ConnectAsync(Uri address, string? from = null)
    {
        IPAddress host = IPAddress.Parse(address.Host);
        var socket = new Socket(host.AddressFamily, SocketType.Stream, ProtocolType.Tcp) { NoDelay = true };
        if (from is not null) socket.Bind(new IPEndPoint(IPAddress.Parse(from), 0));
        await socket.ConnectAsync(host, address.Port);
        return new RawHttpClient(socket, new NetworkStream(socket));
    }

    /// <summary>Connects with TLS. The server's certificate is not checked here: tests look at it in <see cref="Tls"/>.</summary>
    public static async Task<RawHttpClient> ConnectTlsAsync(Uri address, string serverName, X509Certificate2? clientCertificate = null, params string[] alpn)
    {
        RawHttpClient plain = await ConnectAsync(address);
        var tls = new SslStream(plain._stream, leaveInnerStreamOpen: false);
        try
        {
            await tls.AuthenticateAsClientAsync(new SslClientAuthenticationOptions
            {
                TargetHost = serverName,
                RemoteCertificateValidationCallback = (_, _, _, _) => true,
                ClientCertificates = clientCertificate is null ? null : [clientCertificate],
                ApplicationProtocols = alpn.Length == 0 ? null : [.. alpn.Select(a => new SslApplicationProtocol(a))],
            });
        }
        catch
        {
            await tls.DisposeAsync();
            throw;
        }
        return new RawHttpClient(plain._socket, tls);
    }

    public static async Task<RawHttpClient> ConnectUnixAsync(string path)
    {
        var socket = new Socket(AddressFamily.Unix, SocketType.Stream, ProtocolType.Unspecified);
        await socket.ConnectAsync(new UnixDomainSocketEndPoint(path));
        return new RawHttpClient(socket, new NetworkStream(socket));
    }

    /// <summary>One request on a connection of its own: sends the text, reads the response.</summary>
    public static async Task<RawResponse> OnceAsync(Uri address, string request)
    {
        await using RawHttpClient client = await ConnectAsync(address);
        return await client.RequestAsync(request);
    }

    /// <summary>Sends the text as Latin-1 bytes.</summary>
    public Task SendAsync(string text) => SendAsync(Encoding.Latin1.GetBytes(text));

    public async Task SendAsync(ReadOnlyMemory<byte> bytes)
    {
        using var deadline = new CancellationTokenSource(Deadline);
        await _stream.WriteAsync(bytes, deadline.Token);
    }

    /// <summary>Sends the text and reads one response. A server that answers and resets while the text is still being sent is not an error here.</summary>
    public async Task<RawResponse> RequestAsync(string request)
    {
        try { await SendAsync(request); }
        catch (IOException) { }
        return await ReadResponseAsync(isHead: request.StartsWith("HEAD ", StringComparison.Ordinal));
    }

    /// <summary>The head of the final response, or of a 101; null when the connection ended before one came.</summary>
    public async Task<RawResponse?> ReadHeadAsync(bool stopAtInterim = false)
    {
        using var deadline = new CancellationTokenSource(Deadline);
        var interim = new List<RawResponse>();
        while (true)
        {
            string? head = await WithDeadline("a response head", _reader.ReadThroughAsync("\r\n\r\n", deadline.Token));
            if (head is null) return null;
            string[] lines = head[..^4].Split("\r\n");
            string[] status = lines[0].Split(' ', 3);
            if (status.Length < 2 || !status[0].StartsWith("HTTP/1.", StringComparison.Ordinal)) throw new InvalidDataException($"status line expected, got '{lines[0]}'");
            var response = new RawResponse
            {
                Version = status[0],
                Status = int.Parse(status[1], CultureInfo.InvariantCulture),
                Reason = status.Length > 2 ? status[2] : "",
                Headers = [.. lines.Skip(1).Select(HttpFraming.Field)],
                Interim = interim,
            };
            if (stopAtInterim || response.Status >= 200 || response.Status == 101) return response;
            interim.Add(response);
        }
    }

    /// <summary>Reads the body that belongs to the head, into it.</summary>
    public async Task ReadBodyAsync(RawResponse response, bool isHead = false)
    {
        using var deadline = new CancellationTokenSource(Deadline);
        if (isHead || response.Status is 101 or 204 or 304)
        {
            response.End = BodyEnd.NoBody;
        }
        else if (response["transfer-encoding"] is { } coding)
        {
            if (!coding.Equals("chunked", StringComparison.OrdinalIgnoreCase)) throw new InvalidDataException($"Transfer-Encoding: {coding}");
            if (response["content-length"] is not null) throw new InvalidDataException("both Transfer-Encoding and Content-Length");
            var sizes = new List<int>();
            var read = await WithDeadline("the rest of a chunked body", HttpFraming.ReadChunkedAsync(_reader, sizes, deadline.Token));
            (response.Body, response.Trailers, response.Chunks) = (read.Body, read.Trailers, sizes);
            response.End = read.Whole ? BodyEnd.LastChunk : BodyEnd.Died;
        }
        else if (response["content-length"] is { } length)
        {
            int size = int.Parse(length, NumberStyles.None, CultureInfo.InvariantCulture);
            response.Body = await WithDeadline($"{size} bytes of body", _reader.ReadAsync(size, deadline.Token));
            response.End = response.Body.Length == size ? BodyEnd.Length : BodyEnd.Died;
        }
        else
        {
            response.Body = await WithDeadline("a body to the close", _reader.ReadToEndAsync(deadline.Token));
            response.End = _reader.End == WireEnd.Closed ? BodyEnd.Close : BodyEnd.Died;
        }
    }

    /// <summary>Reads a whole response. Throws <see cref="IOException"/> when the connection ends without one.</summary>
    public async Task<RawResponse> ReadResponseAsync(bool isHead = false)
    {
        RawResponse response = await ReadHeadAsync() ?? throw new IOException($"the connection ended ({_reader.End}) before a response head");
        await ReadBodyAsync(response, isHead);
        return response;
    }

    /// <summary>Whatever comes next, at least one byte; empty at the end of the connection.</summary>
    public async Task<byte[]> ReadSomeAsync()
    {
        using var deadline = new CancellationTokenSource(Deadline);
        return await WithDeadline("some bytes", _reader.ReadSomeAsync(deadline.Token));
    }

    /// <summary>That many bytes, fewer when the connection ends first.</summary>
    public async Task<byte[]> ReadAsync(int count)
    {
        using var deadline = new CancellationTokenSource(Deadline);
        return await WithDeadline($"{count} bytes", _reader.ReadAsync(count, deadline.Token));
    }

    /// <summary>Reads until the server ends the connection, and says how it did and what still came.</summary>
    public async Task<(WireEnd End, string Remainder)> ReadEndAsync()
    {
        using var deadline = new CancellationTokenSource(Deadline);
        byte[] rest = await WithDeadline("the end of the connection", _reader.ReadToEndAsync(deadline.Token));
        return (_reader.End, Encoding.Latin1.GetString(rest));
    }

    /// <summary>Sends FIN and goes on reading.</summary>
    public void HalfClose() => _socket.Shutdown(SocketShutdown.Send);

    /// <summary>Kills the connection with an RST.</summary>
    public void Reset()
    {
        _socket.LingerState = new LingerOption(true, 0);
        _socket.Close();
    }

    private async Task<T> WithDeadline<T>(string what, Task<T> read)
    {
        try { return await read; }
        catch (OperationCanceledException) { throw new TimeoutException($"not within {Deadline.TotalSeconds:0.#} s: {what}"); }
    }

    public async ValueTask DisposeAsync()
    {
        try { await _stream.DisposeAsync(); }
        catch (IOException) { }
        _socket.Dispose();
    }
}
