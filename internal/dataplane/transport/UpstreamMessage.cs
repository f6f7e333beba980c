using System.Text;

namespace Gateway.DataPlane.Transport;

/// <summary>Who is asked before a request goes out on a second connection because the first was of no use.</summary>
internal interface IResendGuard
{
    bool TryResend();
}

/// <summary>
/// A request through <see cref="SocketsHttpHandler"/>, which by itself sends it anew, three times, when its connection had been closed or
/// its stream refused. How often it is sent is not the handler's to decide: all extra attempts are under one bound.
/// </summary>
internal sealed class UpstreamMessage(HttpMethod method, Uri uri, IResendGuard guard) : HttpRequestMessage(method, uri)
{
    /// <summary>A field that every request has once, written last of all that can fail: to write it is to send the request.</summary>
    public const string MarkingField = "X-Request-Id";

    private static readonly Action Nothing = static () => { };

    private int _sends;
    private Action? _onBegun;

    /// <summary>Has <paramref name="act"/> called when the handler begins to write the request: it has a connection then. False: it has begun already.</summary>
    public bool OnBegun(Action act) => Interlocked.CompareExchange(ref _onBegun, act, null) is null;

    /// <summary>The handler has had a connection for it.</summary>
    public bool HasBegun => Volatile.Read(ref _sends) != 0;

    /// <summary>The handler would have sent it once more: so the upstream has not processed it.</summary>
    public bool IsResendRefused { get; private set; }

    /// <summary>The encoding of a field's value, for the handler, which asks while it writes the request's head.</summary>
    /// <exception cref="IOException">The request is being written anew, and must not be.</exception>
    public static Encoding? EncodingOf(string field, HttpRequestMessage request)
    {
        // The handler spells the names that it knows its own way.
        if (field.Equals(MarkingField, StringComparison.OrdinalIgnoreCase) && request is UpstreamMessage message) message.BeginSend();
        return Encoding.Latin1;
    }

    private void BeginSend()
    {
        Interlocked.Exchange(ref _onBegun, Nothing)?.Invoke();
        // A body can be taken from the client only once: who keeps it sends it again, not the handler.
        if (++_sends == 1 || (_sends == 2 && Content is null && guard.TryResend())) return;
        IsResendRefused = true;
        throw new IOException("The connection was of no use, and the request is not sent on another.");
    }
}
