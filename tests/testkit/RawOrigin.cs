using System.Collections.Concurrent;
using System.Net;
using System.Net.Sockets;
using System.Text;

namespace Gateway.TestKit;

/// <summary>
/// A TCP server on a free port whose every connection runs a script, so that an upstream can do exactly what a test needs: answer half,
/// reset, send garbage, say nothing. Records what came in byte for byte.
/// </summary>
public sealed class RawOrigin : IAsyncDisposable
{
    private readonly Socket _socket;
    private readonly Func<RawConnection, Task> _script;
    private readonly CancellationTokenSource _stop = new();
    private readonly ConcurrentQueue<RawConnection> _connections = new();
    private readonly ConcurrentBag<Task> _scripts = [];
    private readonly Task _accepting;

    private RawOrigin(Func<RawConnection, Task> script)
    {
        _script = script;
        _socket = new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp);
        _socket.Bind(new IPEndPoint(IPAddress.Loopback, 0));
        _socket.Listen(1024);
        Port = ((IPEndPoint)_socket.LocalEndPoint!).Port;
        _accepting = AcceptAsync();
    }

    /// <summary>Runs <paramref name="script"/> for every connection; when it ends, the connection is closed in order.</summary>
    public static RawOrigin Start(Func<RawConnection, Task> script) => new(script);

    /// <summary>Answers every request head on a connection, one after the other, with the same raw bytes; request bodies with a Content-Length are read first.</summary>
    public static RawOrigin Answering(string response) => Start(async connection =>
    {
        while (await connection.ReadHeadAsync() is { } head)
        {
            _ = await connection.ReadBodyAsync(head);
            await connection.SendAsync(response);
        }
    });

    /// <summary>An address at which nobody listens: connecting is refused.</summary>
    public static string RefusedAddress()
    {
        using var socket = new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp);
        socket.Bind(new IPEndPoint(IPAddress.Loopback, 0));
        return $"127.0.0.1:{((IPEndPoint)socket.LocalEndPoint!).Port}";
    }

    public int Port { get; }

    /// <summary>As a configuration writes it: <c>127.0.0.1:PORT</c>.</summary>
    public string Address => $"127.0.0.1:{Port}";

    /// <summary>Every connection so far, in the order they were accepted.</summary>
    public IReadOnlyList<RawConnection> Connections => [.. _connections];

    public int ConnectionCount => _connections.Count;

    /// <summary>Connections that the other side reset, as far as the scripts have read.</summary>
    public int ResetsSeen => _connections.Count(c => c.End == WireEnd.Reset);

    /// <summary>Everything received on all connections, as Latin-1 text.</summary>
    public string ReceivedText => string.Concat(_connections.Select(c => c.ReceivedText));

    /// <summary>The first exception of a script that was not the end of its connection.</summary>
    public Exception? ScriptError { get; private set; }

    private async Task AcceptAsync()
    {
        int number = 0;
        while (!_stop.IsCancellationRequested)
        {
            Socket client;
            try { client = await _socket.AcceptAsync(_stop.Token); }
            catch (OperationCanceledException) { return; }
            catch (SocketException) { return; }
            var connection = new RawConnection(client, ++number, _stop.Token);
            _connections.Enqueue(connection);
            _scripts.Add(RunAsync(connection));
        }
    }

    private async Task RunAsync(RawConnection connection)
    {
        try { await _script(connection); }
        catch (OperationCanceledException) { }
        catch (IOException) { }
        catch (SocketException) { }
        catch (ObjectDisposedException) { }
        catch (Exception e) { ScriptError ??= e; }
        finally { connection.Close(); }
    }

    public async ValueTask DisposeAsync()
    {
        await _stop.CancelAsync();
        _socket.Dispose();
        await _accepting;
        foreach (RawConnection connection in _connections) connection.Close();
        await Task.WhenAll(_scripts);
        _stop.Dispose();
    }
}

/// <summary>One connection of a <see cref="RawOrigin"/>, as its script sees it.</summary>
public sealed class RawConnection
{
    private readonly Socket _socket;
    private readonly NetworkStream _stream;
    private readonly WireReader _reader;
    private readonly CancellationToken _stop;

    internal RawConnection(Socket socket, int number, CancellationToken stop)
    {
        _socket = socket;
        _socket.NoDelay = true;
        _stream = new NetworkStream(socket, ownsSocket: true);
        _reader = new WireReader(_stream);
        _stop = stop;
        Number = number;
    }

    /// <summary>1 for the first connection of the origin.</summary>
    public int Number { get; }

    /// <summary>How the other side ended the connection, as far as the script has read.</summary>
    public WireEnd End => _reader.End;

    public byte[] Received => _reader.Received;

    public string ReceivedText => Encoding.Latin1.GetString(_reader.Received);

    /// <summary>Cancelled when the origin stops.</summary>
    public CancellationToken Stopped => _stop;

    /// <summary>The next request head with its blank line; null when the other side ended the connection.</summary>
    public Task<string?> ReadHeadAsync() => ReadThroughAsync("\r\n\r\n");

    /// <summary>What comes up to and with that text; null when the connection ended before.</summary>
    public Task<string?> ReadThroughAsync(string text) => _reader.ReadThroughAsync(text, _stop);

    /// <summary>Reads the body that a request head announces, by Content-Length or chunked, without its framing.</summary>
    public async Task<byte[]> ReadBodyAsync(string head)
    {
        if (HeaderOf(head, "transfer-encoding") is { } coding && coding.Contains("chunked", StringComparison.OrdinalIgnoreCase))
        {
            return (await HttpFraming.ReadChunkedAsync(_reader, [], _stop)).Body;
        }
        return HeaderOf(head, "content-length") is { } length
            ? await _reader.ReadAsync(int.Parse(length, System.Globalization.CultureInfo.InvariantCulture), _stop)
            : [];
    }

    public Task<byte[]> ReadAsync(int count) => _reader.ReadAsync(count, _stop);

    /// <summary>Whatever is there, at least one byte; empty at the end.</summary>
    public Task<byte[]> ReadSomeAsync() => _reader.ReadSomeAsync(_stop);

    /// <summary>Reads until the other side ends the connection, and says how it did.</summary>
    public async Task<WireEnd> WaitForEndAsync()
    {
        _ = await _reader.ReadToEndAsync(_stop);
        return _reader.End;
    }

    /// <summary>Sends the text as Latin-1 bytes.</summary>
    public Task SendAsync(string text) => SendAsync(Encoding.Latin1.GetBytes(text));

    public async Task SendAsync(ReadOnlyMemory<byte> bytes) => await _stream.WriteAsync(bytes, _stop);

    /// <summary>Sends a whole response with a Content-Length.</summary>
    public Task RespondAsync(int status, string body, string extraHeaders = "") =>
        SendAsync($"HTTP/1.1 {status} Status\r\nContent-Length: {Encoding.UTF8.GetByteCount(body)}\r\n{extraHeaders}\r\n{body}");

    /// <summary>Sends one chunk of a chunked body.</summary>
    public Task SendChunkAsync(string data) => SendAsync($"{data.Length:x}\r\n{data}\r\n");

    /// <summary>Kills the connection with an RST.</summary>
    public void Reset()
    {
        _socket.LingerState = new LingerOption(true, 0);
        _socket.Close();
    }

    /// <summary>Sends FIN and goes on reading.</summary>
    public void HalfClose() => _socket.Shutdown(SocketShutdown.Send);

    public void Close() => _stream.Dispose();

    /// <summary>The value of a header in a head's text, null when it is not there.</summary>
    public static string? HeaderOf(string head, string name)
    {
        foreach (string line in head.Split("\r\n"))
        {
            int colon = line.IndexOf(':', StringComparison.Ordinal);
            if (colon > 0 && line.AsSpan(0, colon).Equals(name, StringComparison.OrdinalIgnoreCase)) return line[(colon + 1)..].Trim();
        }
        return null;
    }
}
