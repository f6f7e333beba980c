using System.Buffers.Binary;
using System.Text;

namespace Gateway.TestKit;

/// <summary>A frame of HTTP/2 as it came.</summary>
public sealed record Http2Frame(byte Type, byte Flags, int Stream, byte[] Payload)
{
    public const byte Data = 0, Headers = 1, RstStream = 3, Settings = 4, Ping = 6, GoAway = 7, WindowUpdate = 8, Continuation = 9;
}

/// <summary>Writes HTTP/2 frames by hand, also those that no library would, over cleartext with prior knowledge.</summary>
public sealed class RawHttp2Client : IAsyncDisposable
{
    public const byte EndStream = 1, EndHeaders = 4;

    private readonly RawHttpClient _wire;

    private RawHttp2Client(RawHttpClient wire) => _wire = wire;

    /// <summary>Longest wait for any single step.</summary>
    public TimeSpan SendDeadline
    {
        get => _wire.Deadline;
        set => _wire.Deadline = value;
    }

    /// <summary>Connects and sends the preface and empty settings.</summary>
    public static async Task<RawHttp2Client> ConnectAsync(Uri address)
    {
        var client = new RawHttp2Client(await RawHttpClient.ConnectAsync(address));
        await client._wire.SendAsync("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n");
        await client.SendAsync(Http2Frame.Settings, 0, 0, []);
        return client;
    }

    /// <summary>The bytes of one frame.</summary>
    public static byte[] Frame(byte type, byte flags, int stream, ReadOnlySpan<byte> payload)
    {
        byte[] frame = new byte[9 + payload.Length];
        frame[0] = (byte)(payload.Length >> 16);
        BinaryPrimitives.WriteUInt16BigEndian(frame.AsSpan(1), (ushort)payload.Length);
        (frame[3], frame[4]) = (type, flags);
        BinaryPrimitives.WriteInt32BigEndian(frame.AsSpan(5), stream);
        payload.CopyTo(frame.AsSpan(9));
        return frame;
    }

    /// <summary>Fields as HPACK literals without indexing or Huffman: exactly the bytes given, Latin-1.</summary>
    public static byte[] Block(params (string Name, string Value)[] fields)
    {
        var block = new MemoryStream();
        foreach ((string name, string value) in fields)
        {
            block.WriteByte(0);
            Text(block, name);
            Text(block, value);
        }
        return block.ToArray();
    }

    /// <summary>A GET's pseudo-headers, then these fields.</summary>
    public static byte[] Get(string path = "/", params (string, string)[] more) =>
        Block([(":method", "GET"), (":scheme", "http"), (":path", path), (":authority", "h2.test"), .. more]);

    private static void Text(MemoryStream block, string text)
    {
        byte[] bytes = Encoding.Latin1.GetBytes(text);
        // An integer with a prefix of seven bits.
        int length = bytes.Length;
        if (length < 127) block.WriteByte((byte)length);
        else
        {
            block.WriteByte(127);
            for (length -= 127; length >= 128; length >>= 7) block.WriteByte((byte)(length | 128));
            block.WriteByte((byte)length);
        }
        block.Write(bytes);
    }

    public Task SendAsync(byte type, byte flags, int stream, byte[] payload) => SendAsync(Frame(type, flags, stream, payload));

    public Task SendAsync(ReadOnlyMemory<byte> frames) => _wire.SendAsync(frames);

    /// <summary>The next frame; null when the connection has ended.</summary>
    public async Task<Http2Frame?> ReadAsync()
    {
        byte[] head = await _wire.ReadAsync(9);
        if (head.Length < 9) return null;
        byte[] payload = await _wire.ReadAsync((head[0] << 16) | (head[1] << 8) | head[2]);
        return new Http2Frame(head[3], head[4], BinaryPrimitives.ReadInt32BigEndian(head.AsSpan(5)) & int.MaxValue, payload);
    }

    /// <summary>The frame that decides what became of a stream: HEADERS or RST_STREAM of it, GOAWAY, or null for the end of the connection.</summary>
    public async Task<Http2Frame?> ReadOutcomeAsync(int stream)
    {
        while (true)
        {
            Http2Frame? frame = await ReadAsync();
            if (frame is null or { Type: Http2Frame.GoAway }) return frame;
            if (frame.Stream == stream && frame.Type is Http2Frame.Headers or Http2Frame.RstStream) return frame;
        }
    }

    public ValueTask DisposeAsync() => _wire.DisposeAsync();
}
