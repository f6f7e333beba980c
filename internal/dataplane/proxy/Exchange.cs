using System.Net;
using Gateway.DataPlane.Proxy.Http1;
using Gateway.DataPlane.Runtime;

namespace Gateway.DataPlane.Proxy;

/// <summary>One request from its arrival to its recorded outcome, with everything that is reused for the connection's next request.</summary>
internal sealed class Exchange
{
    private readonly TimeProvider _time;
    private Http1Response? _http1;
    private HedgeRace? _race;
    private Exchange? _second;
    private IPAddress? _peer;
    private string _forwardedFor = "";
    private (string Host, string Scheme) _forwardedOf;

    public Exchange(TimeProvider time)
        : this(time, new KestrelDownstream(), new RequestFields(), new UpstreamFieldBlock())
    {
    }

    private Exchange(TimeProvider time, KestrelDownstream downstream, RequestFields fields, UpstreamFieldBlock block)
    {
        Downstream = downstream;
        Fields = fields;
        FieldBlock = block;
        _time = time;
        Deadline = new RequestDeadline(time);
        Attempts = new AttemptProgress(this, time);
        Context.Downstream = Downstream;
        Context.Time = Deadline;
    }

    public RequestContext Context { get; } = new();
    public KestrelDownstream Downstream { get; }
    public RequestDeadline Deadline { get; }

    public AttemptProgress Attempts { get; }

    /// <summary>The request body, as far as it may be needed again.</summary>
    public KeptBody Kept { get; } = new();

    /// <summary>How long the client said that it waits.</summary>
    public ClientDeadline ClientDeadline { get; set; }

    /// <summary>Reads responses of HTTP/1.1 upstreams on the loops.</summary>
    public Http1Response Http1 => _http1 ??= new Http1Response();

    /// <summary>The request body on its way to an upstream on the loops, beside the response; null when none is. Ended before the attempt is.</summary>
    public Task? Sending { get; set; }

    /// <summary>The request's fields as they were received, read once.</summary>
    public RequestFields Fields { get; }

    /// <summary>What they say, as long as they are the same.</summary>
    public HeadFacts HeadFacts { get; set; }

    /// <summary>How they look in a request to an HTTP/1.1 upstream.</summary>
    public UpstreamFieldBlock FieldBlock { get; }

    /// <summary>The other attempt beside which this one runs; null when it is alone.</summary>
    public HedgeRace? Race { get; set; }

    /// <summary>The response's head has come: what of the body is still to be sent is under no attempt's time.</summary>
    public volatile bool HeadersReceived;

    /// <summary>The WebSocket key that was made for the upstream, when the client's protocol has none.</summary>
    public string? WebSocketKey { get; set; }

    /// <summary>The peer is one of the listener's trusted proxies.</summary>
    public bool PeerTrusted { get; set; }

    /// <summary>The peer's address as X-Forwarded-For writes it; null when it has none.</summary>
    public string? PeerText { get; private set; }

    /// <summary>This hop's element of Forwarded (RFC 7239).</summary>
    public string Forwarded { get; private set; } = "";

    /// <summary>The port that the client asked for: Host's, or the scheme's.</summary>
    public string ForwardedPort { get; private set; } = "";

    /// <summary>Forgets the request; what is about the connection stays.</summary>
    public void Reset()
    {
        Context.Reset();
        Fields.Rest();
        Attempts.Reset();
        ClientDeadline = default;
        Kept.Forget();
        WebSocketKey = null;
        HeadersReceived = false;
    }

    /// <summary>The race of this request's attempts, in which its own is the first.</summary>
    public HedgeRace BeginRace()
    {
        Race = _race ??= new HedgeRace(_time);
        Race.Begin(this);
        return Race;
    }

    /// <summary>An exchange of the same request with the same client, for an attempt beside this one's. Given back with <see cref="EndSecond"/>.</summary>
    public Exchange TakeSecond()
    {
        Exchange second = _second ??= new Exchange(_time, Downstream, Fields, FieldBlock);
        second.Context.BeginSecond(Context);
        second.Kept.Begin(0);
        second.ClientDeadline = ClientDeadline;
        second.PeerTrusted = PeerTrusted;
        (second.PeerText, second.Forwarded, second.ForwardedPort) = (PeerText, Forwarded, ForwardedPort);
        return second;
    }

    /// <summary>The attempt is over.</summary>
    public void EndSecond()
    {
        Race = null;
        Context.Reset();
        Attempts.Reset();
        ClientDeadline = default;
        HeadersReceived = false;
    }

    /// <summary>What is left of the client's deadline, for the upstream.</summary>
    /// <param name="buffer">Of <see cref="ClientDeadline.MostCharacters"/>.</param>
    public ReadOnlySpan<char> WriteDeadline(Span<char> buffer) => ClientDeadline.Write(_time.GetElapsedTime(Context.StartedAt), buffer);

    /// <summary>Prepares the texts about this hop; they are made anew only when something about it changed.</summary>
    public void DescribeHop(IPAddress? peer, string host, string scheme)
    {
        bool samePeer = ReferenceEquals(peer, _peer) && _forwardedFor.Length != 0;
        if (!samePeer)
        {
            _peer = peer;
            PeerText = peer is null ? null : (peer.IsIPv4MappedToIPv6 ? peer.MapToIPv4() : peer).ToString();
            _forwardedFor = PeerText is null ? "for=unknown" : PeerText.Contains(':') ? $"for=\"[{PeerText}]\"" : $"for={PeerText}";
        }
        if (samePeer && _forwardedOf == (host, scheme)) return;
        _forwardedOf = (host, scheme);
        Forwarded = ForwardingHeaders.ForwardedElement(_forwardedFor, host, scheme);
        ForwardedPort = ForwardingHeaders.PortOf(host, scheme);
    }
}
