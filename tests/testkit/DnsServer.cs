using System.Collections.Concurrent;
using System.Net;
using System.Net.Sockets;
using System.Text;

namespace Gateway.TestKit;

/// <summary>
/// A name server on 127.0.0.1, over datagrams and connections on one port, whose records a test changes while it runs. It writes messages
/// by itself, plainly and without pointers, so that it shares no mistake with the code under test. Thread safe.
/// </summary>
public sealed class DnsServer : IAsyncDisposable
{
    private readonly ConcurrentDictionary<(string Name, int Type), byte[][]> _records = new();
    private readonly ConcurrentDictionary<string, int> _troubles = new();
    private readonly CancellationTokenSource _stop = new();
    private readonly Socket _datagrams = new(AddressFamily.InterNetwork, SocketType.Dgram, ProtocolType.Udp);
    private readonly TcpListener _connections;
    private readonly Task _running;
    private int _questions, _overStreams;

    private DnsServer()
    {
        // The port must be free for both; one that the first found may be taken for the second.
        while (true)
        {
            _connections = new TcpListener(IPAddress.Loopback, 0);
            _connections.Start();
            try
            {
                _datagrams.Bind(_connections.LocalEndpoint);
                break;
            }
            catch (SocketException)
            {
                _connections.Stop();
            }
        }
        _running = Task.WhenAll(AnswerDatagramsAsync(), AnswerConnectionsAsync());
    }

    public static DnsServer Start() => new();

    /// <summary>As a configuration writes it.</summary>
    public string Address => _connections.LocalEndpoint.ToString()!;

    /// <summary>Questions that came, whatever became of them.</summary>
    public int Questions => Volatile.Read(ref _questions);

    public int OverStreams => Volatile.Read(ref _overStreams);

    /// <summary>What to do with questions: 0 to answer, -1 to say nothing, otherwise the RCODE to answer with.</summary>
    public volatile int Trouble;

    /// <summary>The same for questions about one name; 0 to answer again.</summary>
    public void SetTrouble(string name, int trouble) => _troubles[name] = trouble;

    /// <summary>Answers over datagrams are cut off.</summary>
    public volatile bool Truncate;

    public void SetAddresses(string name, int ttl, params string[] addresses)
    {
        Set(name, 1, ttl, [.. addresses.Select(IPAddress.Parse).Where(static a => a.AddressFamily == AddressFamily.InterNetwork).Select(static a => a.GetAddressBytes())]);
        Set(name, 28, ttl, [.. addresses.Select(IPAddress.Parse).Where(static a => a.AddressFamily == AddressFamily.InterNetworkV6).Select(static a => a.GetAddressBytes())]);
    }

    public void SetServices(string name, int ttl, params (int Priority, int Weight, int Port, string Target)[] services) =>
        Set(name, 33, ttl, [.. services.Select(static s => (byte[])[.. Two(s.Priority), .. Two(s.Weight), .. Two(s.Port), .. Name(s.Target)])]);

    public void SetAlias(string name, int ttl, string target) => Set(name, 5, ttl, [Name(target)]);

    public void Remove(string name)
    {
        foreach ((string Name, int Type) key in _records.Keys.Where(k => k.Name == name)) _records.TryRemove(key, out _);
    }

    private void Set(string name, int type, int ttl, byte[][] data) =>
        _records[(name, type)] = [.. data.Select(d => (byte[])[.. Name(name), .. Two(type), .. Two(1), .. Two(ttl >> 16), .. Two(ttl & 0xffff), .. Two(d.Length), .. d])];

    private static byte[] Two(int number) => [(byte)(number >> 8), (byte)number];

    private static byte[] Name(string name) =>
        [.. name.Split('.', StringSplitOptions.RemoveEmptyEntries).SelectMany(static l => (byte[])[(byte)l.Length, .. Encoding.ASCII.GetBytes(l)]), 0];

    private byte[]? Answer(byte[] question, bool overStream)
    {
        Interlocked.Increment(ref _questions);
        int trouble = Trouble;
        if (trouble < 0) return null;
        int at = 12;
        List<string> labels = [];
        for (; question[at] != 0; at += question[at] + 1) labels.Add(Encoding.ASCII.GetString(question, at + 1, question[at]));
        int type = question[at + 2];
        byte[] asked = question[12..(at + 5)];
        string name = string.Join('.', labels).ToLowerInvariant();
        if (_troubles.GetValueOrDefault(name) is not 0 and var ofName) trouble = ofName;
        if (trouble < 0) return null;

        List<byte[]> answers = [];
        while (_records.TryGetValue((name, 5), out byte[][]? alias))
        {
            answers.AddRange(alias);
            byte[] target = alias[0][(Name(name).Length + 10)..];
            name = "";
            for (int i = 0; target[i] != 0; i += target[i] + 1) name += (name.Length == 0 ? "" : ".") + Encoding.ASCII.GetString(target, i + 1, target[i]);
        }
        if (_records.TryGetValue((name, type), out byte[][]? own)) answers.AddRange(own);
        bool known = answers.Count > 0 || _records.Keys.Any(k => k.Name == name);
        int code = trouble > 0 ? trouble : known ? 0 : 3;
        bool cut = Truncate && !overStream;
        if (code != 0 || cut) answers.Clear();
        return [question[0], question[1], (byte)(0x85 | (cut ? 2 : 0)), (byte)(0x80 | code), 0, 1, .. Two(answers.Count), 0, 0, 0, 0, .. asked, .. answers.SelectMany(static a => a)];
    }

    private async Task AnswerDatagramsAsync()
    {
        byte[] buffer = new byte[4096];
        try
        {
            while (true)
            {
                SocketReceiveFromResult received = await _datagrams.ReceiveFromAsync(buffer, SocketFlags.None, new IPEndPoint(IPAddress.Any, 0), _stop.Token);
                if (Answer(buffer[..received.ReceivedBytes], overStream: false) is { } answer)
                    await _datagrams.SendToAsync(answer, SocketFlags.None, received.RemoteEndPoint, _stop.Token);
            }
        }
        catch (Exception e) when (e is OperationCanceledException or SocketException or ObjectDisposedException)
        {
        }
    }

    private async Task AnswerConnectionsAsync()
    {
        try
        {
            // A listener that was stopped meanwhile does not say so by the token.
            while (!_stop.IsCancellationRequested)
            {
                using TcpClient client = await _connections.AcceptTcpClientAsync(_stop.Token);
                Interlocked.Increment(ref _overStreams);
                NetworkStream stream = client.GetStream();
                byte[] length = new byte[2];
                await stream.ReadExactlyAsync(length, _stop.Token);
                byte[] question = new byte[(length[0] << 8) | length[1]];
                await stream.ReadExactlyAsync(question, _stop.Token);
                if (Answer(question, overStream: true) is { } answer) await stream.WriteAsync((byte[])[.. Two(answer.Length), .. answer], _stop.Token);
            }
        }
        catch (Exception e) when (e is OperationCanceledException or IOException or SocketException or ObjectDisposedException || _stop.IsCancellationRequested)
        {
        }
    }

    public async ValueTask DisposeAsync()
    {
        await _stop.CancelAsync();
        _datagrams.Dispose();
        _connections.Stop();
        await _running;
    }
}
