using System.Net.Sockets;
using System.Text;

namespace Gateway.TestKit;

/// <summary>How the other side ended a connection.</summary>
public enum WireEnd
{
    /// <summary>It has not.</summary>
    Open,

    /// <summary>In order: FIN, and with TLS after a close_notify or not.</summary>
    Closed,

    /// <summary>RST, or a TLS alert.</summary>
    Reset,
}

/// <summary>Reads a byte stream piece by piece, keeps everything that came, and tells an orderly end from a reset. One reader at a time.</summary>
internal sealed class WireReader(Stream stream)
{
    private readonly MemoryStream _all = new();
    private int _position;

    public WireEnd End { get; private set; }

    /// <summary>Everything received so far.</summary>
    public byte[] Received
    {
        get { lock (_all) return _all.ToArray(); }
    }

    private int Available => (int)_all.Length - _position;

    /// <summary>Reads until the separator, which is part of what is returned; null when the connection ends first.</summary>
    public async Task<string?> ReadThroughAsync(string separator, CancellationToken cancellationToken)
    {
        byte[] mark = Encoding.Latin1.GetBytes(separator);
        int from = _position;
        while (true)
        {
            int at = _all.GetBuffer().AsSpan(from, (int)_all.Length - from).IndexOf(mark);
            if (at >= 0) return Encoding.Latin1.GetString(Take(from - _position + at + mark.Length));
            from = Math.Max(_position, (int)_all.Length - mark.Length + 1);
            if (!await FillAsync(cancellationToken)) return null;
        }
    }

    /// <summary>Reads that many bytes, fewer when the connection ends first.</summary>
    public async Task<byte[]> ReadAsync(int count, CancellationToken cancellationToken)
    {
        while (Available < count && await FillAsync(cancellationToken)) { }
        return Take(Math.Min(count, Available)).ToArray();
    }

    /// <summary>Reads what is there, at least one byte; empty when the connection has ended.</summary>
    public async Task<byte[]> ReadSomeAsync(CancellationToken cancellationToken)
    {
        if (Available == 0) _ = await FillAsync(cancellationToken);
        return Take(Available).ToArray();
    }

    /// <summary>Reads to the end of the connection.</summary>
    public async Task<byte[]> ReadToEndAsync(CancellationToken cancellationToken)
    {
        while (await FillAsync(cancellationToken)) { }
        return Take(Available).ToArray();
    }

    private ReadOnlySpan<byte> Take(int count)
    {
        ReadOnlySpan<byte> taken = _all.GetBuffer().AsSpan(_position, count);
        _position += count;
        return taken;
    }

    private async Task<bool> FillAsync(CancellationToken cancellationToken)
    {
        if (End != WireEnd.Open) return false;
        byte[] piece = new byte[16384];
        int n;
        try
        {
            n = await stream.ReadAsync(piece, cancellationToken);
        }
        catch (IOException)
        {
            End = WireEnd.Reset;
            return false;
        }
        catch (SocketException)
        {
            End = WireEnd.Reset;
            return false;
        }
        if (n == 0)
        {
            End = WireEnd.Closed;
            return false;
        }
        lock (_all)
        {
            _all.Position = _all.Length;
            _all.Write(piece, 0, n);
        }
        return true;
    }
}
