using System.Collections;
using System.IO.Pipelines;
using System.Net;
using System.Runtime.CompilerServices;
using System.Text;
using Gateway.Core.Http1;
using Gateway.DataPlane.Proxy.Http1;
using Gateway.DataPlane.Runtime;
using Gateway.DataPlane.Transport;
using Microsoft.AspNetCore.Connections;
using Microsoft.AspNetCore.Connections.Features;
using Microsoft.AspNetCore.Hosting.Server.Abstractions;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Http.Features;

namespace Gateway.DataPlane.Proxy.Direct;

/// <summary>
/// A client's connection as long as its requests are plain ones, and the features through which the application sees each of them: those
/// that Kestrel would give, and for the rest the connection's own. Used again for other connections of the same loop.
/// </summary>
internal sealed class DirectConnection : IFeatureCollection, IHostContextContainer<Exchange>,
    IHttpRequestFeature, IHttpResponseFeature, IHttpResponseBodyFeature, IHttpRequestLifetimeFeature, IHttpConnectionFeature,
    IHttpRequestBodyDetectionFeature, IRequestBodyPipeFeature
{
    private const int MostFields = 48;

    // A browser's head with its cookies is a few KB; what is longer than this is not waited for.
    private const int MostHead = 32 * 1024;

    // Field sections beyond this are parsed anew each time: an idle connection is to hold little.
    private const int MostKeptSection = 2048;

    private static readonly string[] Methods = ["GET", "HEAD", "POST", "PUT", "DELETE", "PATCH", "OPTIONS"];

    private readonly FieldTable _fields = new();
    private readonly DirectResponse _response;
    private readonly ClientPatience _patience;
    private readonly WholeBody _body = new();
    private ConnectionContext _connection = null!;
    private byte[] _section = [];
    private int _sectionLength;
    private PlainFields _parsed;
    private PlainMethod _method;
    private string _target = "/";
    private string _scheme = "http";
    private bool _aborted;

    /// <param name="patience">With this connection's client, attached to the same connections.</param>
    public DirectConnection(TimeProvider time, ClientPatience patience)
    {
        _patience = patience;
        _response = new DirectResponse(time, patience);
    }

    /// <summary>The connection is this one's from here on, until <see cref="Detach"/>.</summary>
    public void Attach(ConnectionContext connection)
    {
        _connection = connection;
        _aborted = false;
        _scheme = connection.Features.Get<TlsConnectionInfo>() is null ? "http" : "https";
        RemoteIpAddress = (connection.RemoteEndPoint as IPEndPoint)?.Address;
        CloseRequested = connection.Features.Get<IConnectionLifetimeNotificationFeature>()?.ConnectionClosedRequested ?? default;
        _response.Attach(connection.Transport.Output, CloseRequested);
    }

    /// <summary>Forgets the connection.</summary>
    public void Detach()
    {
        if (HostContext is { } exchange)
        {
            exchange.Downstream.Detach();
            exchange.Deadline.Disarm();
        }
        _connection = null!;
        CloseRequested = default;
        _response.Attach(null!, default);
    }

    /// <summary>The server wants to be rid of the connection.</summary>
    public CancellationToken CloseRequested { get; private set; }

    public Exchange? HostContext { get; set; }

    /// <summary>Takes the next request, if it is all there and plain; else nothing has changed.</summary>
    /// <param name="bytes">What the client has sent that was not taken yet.</param>
    /// <param name="taken">Bytes of the request, its body included.</param>
    public bool TryBegin(ReadOnlySpan<byte> bytes, out int taken)
    {
        taken = 0;
        if (!PlainRequest.TryReadLine(bytes, out PlainLine line) || !ReadFields(bytes, line.FieldsStart))
        {
            IsIncomplete = IsBeginning(bytes);
            return false;
        }
        int head = line.FieldsStart + _sectionLength;
        long length = _parsed.ContentLength;
        if (length > 0)
        {
            IsIncomplete = length <= WholeBody.Largest;
            if (length > WholeBody.Largest || bytes.Length - head < length) return false;
            _body.Begin(bytes.Slice(head, (int)length));
            head += (int)length;
        }
        taken = head;
        _method = line.Method;
        ReadOnlySpan<byte> target = bytes.Slice(line.TargetStart, line.TargetLength);
        // Many clients ask for the same again and again.
        if (!Ascii.Equals(target, _target)) _target = Encoding.ASCII.GetString(target);
        _response.Begin(toHead: line.Method == PlainMethod.Head, keepAlive: !_parsed.Close);
        return true;
    }

    /// <summary>When no request could be taken: what is there may be the beginning of a plain one.</summary>
    public bool IsIncomplete { get; private set; }

    private static bool IsBeginning(ReadOnlySpan<byte> bytes)
    {
        if (bytes.Length > MostHead || bytes[0] is < (byte)'A' or > (byte)'Z' || bytes.IndexOf("\r\n\r\n"u8) >= 0) return false;
        return bytes.IndexOf((byte)'\n') < 0 || PlainRequest.TryReadLine(bytes, out _);
    }

    /// <summary>The response to the request that is being served.</summary>
    public DirectResponse Response => _response;

    /// <summary>After a response that was written whole, and sent. True: the connection is for another request.</summary>
    public bool Finish() => !_aborted && _response.KeepsAlive;

    /// <summary>Writes what the application has left open, and sends it. True: the connection is for another request.</summary>
    [AsyncMethodBuilder(typeof(LoopTaskMethodBuilder<>))]
    public async ValueTask<bool> FinishAsync()
    {
        if (_aborted) return false;
        if (!_response.End())
        {
            Abort();
            return false;
        }
        if (_response.Output.UnflushedBytes != 0)
        {
            ValueTask<FlushResult> flush = _response.FlushAsync();
            FlushResult result = flush.IsCompletedSuccessfully ? flush.GetAwaiter().GetResult() : await flush;
            if (result.IsCompleted || result.IsCanceled) return false;
        }
        // Who takes no answers is not served what else it has asked for.
        return _response.KeepsAlive && !_aborted && !_patience.IsOver;
    }

    /// <summary>The request is over, however it ended: nothing of it is held any more.</summary>
    public void Forget() => _body.Forget();

    public void Abort()
    {
        _aborted = true;
        _connection.Abort(new ConnectionAbortedException("The response could not be ended."));
    }

    private bool ReadFields(ReadOnlySpan<byte> bytes, int start)
    {
        ReadOnlySpan<byte> rest = bytes[start..];
        // Nearly always the section is the last request's, byte for byte, and all that was found out about it holds.
        if (_sectionLength != 0 && _sectionLength <= _section.Length && rest.Length >= _sectionLength && rest[.._sectionLength].SequenceEqual(_section.AsSpan(0, _sectionLength))) return true;
        Span<HeaderField> fields = stackalloc HeaderField[MostFields];
        if (!PlainRequest.TryReadFields(bytes, start, fields, out PlainFields parsed)) return false;
        _parsed = parsed;
        _fields.Clear();
        HeaderText text = HeaderText.OfThread;
        foreach (ref readonly HeaderField field in fields[..parsed.Count])
            _fields.Append(text.OfName(field.Name(bytes), out _, out _), text.Of(field.Value(bytes)));
        if (parsed.ContentLength >= 0) _fields.SetLength(parsed.ContentLength);
        Keep(rest[..(parsed.End - start)]);
        return true;
    }

    private void Keep(ReadOnlySpan<byte> section)
    {
        _sectionLength = section.Length;
        if (section.Length > MostKeptSection) return;
        if (_section.Length < section.Length) _section = new byte[Math.Min(MostKeptSection, section.Length + 128)];
        section.CopyTo(_section);
    }

    // The request.
    string IHttpRequestFeature.Protocol { get => "HTTP/1.1"; set => throw Fixed(); }
    string IHttpRequestFeature.Scheme { get => _scheme; set => throw Fixed(); }
    string IHttpRequestFeature.Method { get => Methods[(int)_method]; set => throw Fixed(); }
    string IHttpRequestFeature.PathBase { get => ""; set => throw Fixed(); }
    string IHttpRequestFeature.Path { get => throw Fixed(); set => throw Fixed(); }
    string IHttpRequestFeature.QueryString { get => throw Fixed(); set => throw Fixed(); }
    string IHttpRequestFeature.RawTarget { get => _target; set => throw Fixed(); }
    IHeaderDictionary IHttpRequestFeature.Headers { get => _fields; set => throw Fixed(); }
    Stream IHttpRequestFeature.Body { get => _body.AsStream(); set => throw Fixed(); }
    bool IHttpRequestBodyDetectionFeature.CanHaveBody => _parsed.ContentLength > 0;
    PipeReader IRequestBodyPipeFeature.Reader => _body;

    // The response.
    int IHttpResponseFeature.StatusCode { get => _response.StatusCode; set => _response.StatusCode = value; }
    string? IHttpResponseFeature.ReasonPhrase { get => null; set => throw Fixed(); }
    IHeaderDictionary IHttpResponseFeature.Headers { get => _response.Fields; set => throw Fixed(); }
    Stream IHttpResponseFeature.Body { get => throw Fixed(); set => throw Fixed(); }
    bool IHttpResponseFeature.HasStarted => _response.HasStarted;
    void IHttpResponseFeature.OnStarting(Func<object, Task> callback, object state) => throw Fixed();
    void IHttpResponseFeature.OnCompleted(Func<object, Task> callback, object state) => throw Fixed();
    PipeWriter IHttpResponseBodyFeature.Writer => _response.Body;
    Stream IHttpResponseBodyFeature.Stream => _response.Body.AsStream();

    Task IHttpResponseBodyFeature.StartAsync(CancellationToken cancellationToken)
    {
        _response.StartOnce();
        return Task.CompletedTask;
    }

    Task IHttpResponseBodyFeature.CompleteAsync() => throw Fixed();
    Task IHttpResponseBodyFeature.SendFileAsync(string path, long offset, long? count, CancellationToken cancellationToken) => throw Fixed();

    void IHttpResponseBodyFeature.DisableBuffering()
    {
    }

    CancellationToken IHttpRequestLifetimeFeature.RequestAborted { get => _connection.ConnectionClosed; set => throw Fixed(); }

    // The connection.
    public IPAddress? RemoteIpAddress { get; set; }
    string IHttpConnectionFeature.ConnectionId { get => _connection.ConnectionId; set => throw Fixed(); }
    IPAddress? IHttpConnectionFeature.LocalIpAddress { get => (_connection.LocalEndPoint as IPEndPoint)?.Address; set => throw Fixed(); }
    int IHttpConnectionFeature.LocalPort { get => (_connection.LocalEndPoint as IPEndPoint)?.Port ?? 0; set => throw Fixed(); }
    int IHttpConnectionFeature.RemotePort { get => (_connection.RemoteEndPoint as IPEndPoint)?.Port ?? 0; set => throw Fixed(); }

    // The collection.
    bool IFeatureCollection.IsReadOnly => true;
    int IFeatureCollection.Revision => 0;
    object? IFeatureCollection.this[Type key] { get => key.IsInstanceOfType(this) ? this : _connection.Features[key]; set => throw Fixed(); }
    TFeature? IFeatureCollection.Get<TFeature>()
        where TFeature : default => this is TFeature own ? own : _connection.Features.Get<TFeature>();
    void IFeatureCollection.Set<TFeature>(TFeature? instance)
        where TFeature : default => throw Fixed();
    IEnumerator<KeyValuePair<Type, object>> IEnumerable<KeyValuePair<Type, object>>.GetEnumerator() => throw Fixed();
    IEnumerator IEnumerable.GetEnumerator() => throw Fixed();

    private static NotSupportedException Fixed() => new("The application does not ask for this.");
}
