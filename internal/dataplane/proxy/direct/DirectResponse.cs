using System.Buffers;
using System.Buffers.Text;
using System.IO.Pipelines;
using System.Runtime.CompilerServices;
using System.Text;
using Gateway.DataPlane.Transport;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.WebUtilities;
using Microsoft.Extensions.Primitives;

namespace Gateway.DataPlane.Proxy.Direct;

/// <summary>
/// A response on its way: status and fields until it starts, then its body. The head says what RFC 9112 wants of a server: how the body is
/// framed (section 6), whether the connection goes on (section 9.6), and the date (RFC 9110 section 6.6.1).
/// </summary>
internal sealed partial class DirectResponse
{
    // A status line of any status that has a registered phrase, made once.
    private static readonly byte[]?[] StatusLines = new byte[]?[600];

    // The longest that this adds: date, length or coding, connection, and the empty line.
    private const int OwnFields = 37 + 40 + 28 + 19 + 2;

    private readonly TimeProvider _time;
    private readonly ClientPatience _patience;
    private readonly DirectBody _body;
    private readonly FieldTable _fields = new();

    [ThreadStatic]
    private static byte[]? _date;

    [ThreadStatic]
    private static long _dateOf;

    public DirectResponse(TimeProvider time, ClientPatience patience)
    {
        _time = time;
        _patience = patience;
        _body = new DirectBody(this);
    }

    public PipeWriter Output { get; private set; } = null!;
    public int StatusCode { get; set; }
    public FieldTable Fields => _fields;
    public PipeWriter Body => _body;
    public bool HasStarted { get; private set; }

    /// <summary>The connection is for another request after this one. Settled by the head.</summary>
    public bool KeepsAlive { get; private set; }

    /// <summary>Asked when the head is written: the server wants to be rid of the connection.</summary>
    public CancellationToken CloseRequested { get; private set; }

    private bool _toHead;
    private long _promised;

    public void Attach(PipeWriter output, CancellationToken closeRequested)
    {
        Output = output;
        CloseRequested = closeRequested;
    }

    /// <param name="toHead">The request is a HEAD: there is no body, whatever the fields say.</param>
    /// <param name="keepAlive">The client may send another request.</param>
    public void Begin(bool toHead, bool keepAlive)
    {
        StatusCode = 200;
        if (_fields.Count != 0) _fields.Clear();
        HasStarted = false;
        (_toHead, KeepsAlive) = (toHead, keepAlive);
    }

    /// <summary>Fixes status and fields, and writes the head; it goes out with the first flush.</summary>
    /// <exception cref="InvalidOperationException">A value cannot be sent; nothing is written, and the response can still be another.</exception>
    public void StartOnce()
    {
        if (HasStarted) return;
        bool hasBody = !_toHead && StatusCode is not (204 or 304) and >= 200;
        long length = _fields.ContentLength ?? -1;
        bool chunked = hasBody && length < 0 && !_fields.ContainsKey("Transfer-Encoding");
        KeepsAlive &= !CloseRequested.IsCancellationRequested;
        WriteHead(chunked, length);
        _promised = hasBody ? length : -1;
        _body.Begin(!hasBody ? DirectFraming.None : chunked ? DirectFraming.Chunked : DirectFraming.AsIs, _promised, Output);
        HasStarted = true;
    }

    /// <summary>Writes what is missing at the end. False: less than the head promised, so that the connection must not look well ended.</summary>
    public bool End()
    {
        if (!HasStarted)
        {
            if (StatusCode is not (204 or 304) and >= 200 && !_fields.ContainsKey("Transfer-Encoding")) _fields.ContentLength ??= 0;
            StartOnce();
        }
        _body.End();
        return _promised < 0 || _body.Written == _promised;
    }

    /// <summary>
    /// Sends what was written, and waits for the client to take it for as long as the patience with it lasts, which then aborts the
    /// connection: no deadline of the request may be running any more, or yet.
    /// </summary>
    public ValueTask<FlushResult> FlushAsync()
    {
        ValueTask<FlushResult> flush = Output.FlushAsync();
        return flush.IsCompletedSuccessfully ? flush : WaitAsync(flush);
    }

    [AsyncMethodBuilder(typeof(LoopTaskMethodBuilder<>))]
    private async ValueTask<FlushResult> WaitAsync(ValueTask<FlushResult> flush)
    {
        EventLoop loop = _patience.Loop;
        if (EventLoop.Current != loop) await loop.Switch();
        _patience.Begin(ClientPatience.Waiting.ToTake);
        try
        {
            return await flush;
        }
        finally
        {
            if (EventLoop.Current != loop) await loop.Switch();
            _patience.End();
        }
    }

    private void WriteHead(bool chunked, long length)
    {
        byte[] line = StatusLine(StatusCode);
        int size = line.Length + OwnFields;
        bool hasDate = false, hasConnection = false, hasLength = false;
        foreach ((string name, StringValues values) in _fields.All)
        {
            for (int i = 0; i < values.Count; i++)
            {
                string value = values[i] ?? "";
                if (!FieldSyntax.IsValue(value)) throw new InvalidOperationException($"The value of the response's {name} has characters that no field may have.");
                size += name.Length + value.Length + 4;
            }
            if (name.Length == 4) hasDate |= name.Equals("Date", StringComparison.OrdinalIgnoreCase);
            else if (name.Length == 14) hasLength |= name.Equals("Content-Length", StringComparison.OrdinalIgnoreCase);
            else if (name.Length == 10 && name.Equals("Connection", StringComparison.OrdinalIgnoreCase))
            {
                hasConnection = true;
                KeepsAlive &= !HopByHop.HasToken(values, "close");
            }
        }

        Span<byte> head = Output.GetSpan(size);
        int at = 0;
        Put(head, ref at, line);
        foreach ((string name, StringValues values) in _fields.All)
        {
            for (int i = 0; i < values.Count; i++)
            {
                at += Encoding.Latin1.GetBytes(name, head[at..]);
                Put(head, ref at, ": "u8);
                at += Encoding.Latin1.GetBytes(values[i] ?? "", head[at..]);
                Put(head, ref at, "\r\n"u8);
            }
        }
        if (!hasDate) Put(head, ref at, Date());
        if (chunked) Put(head, ref at, "Transfer-Encoding: chunked\r\n"u8);
        else if (length >= 0 && !hasLength)
        {
            Put(head, ref at, "Content-Length: "u8);
            _ = Utf8Formatter.TryFormat(length, head[at..], out int digits);
            at += digits;
            Put(head, ref at, "\r\n"u8);
        }
        if (!KeepsAlive && !hasConnection) Put(head, ref at, "Connection: close\r\n"u8);
        Put(head, ref at, "\r\n"u8);
        Output.Advance(at);
    }

    private static void Put(Span<byte> head, ref int at, ReadOnlySpan<byte> bytes)
    {
        bytes.CopyTo(head[at..]);
        at += bytes.Length;
    }

    private static byte[] StatusLine(int status)
    {
        if ((uint)status >= (uint)StatusLines.Length) return Make(status);
        return StatusLines[status] ??= Make(status);

        static byte[] Make(int status) => Encoding.ASCII.GetBytes($"HTTP/1.1 {status} {ReasonPhrases.GetReasonPhrase(status)}\r\n");
    }

    // Of the second: made anew when the loop's clock has gone on for as long.
    private ReadOnlySpan<byte> Date()
    {
        long now = EventLoop.Current?.NowMilliseconds / 1000 ?? -1;
        if (_date is { } known && now == _dateOf && now >= 0) return known;
        _dateOf = now;
        return _date = Encoding.ASCII.GetBytes($"Date: {_time.GetUtcNow():R}\r\n");
    }
}
