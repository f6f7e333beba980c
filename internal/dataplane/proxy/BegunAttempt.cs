using Gateway.Core.Http1;
using Gateway.DataPlane.Runtime;
using Gateway.DataPlane.Transport;

namespace Gateway.DataPlane.Proxy;

/// <summary>
/// A request's first attempt as far as it has come. Used again for each request of a connection; the flow that goes on with it reads it once,
/// before the next request begins.
/// </summary>
internal sealed class BegunAttempt
{
    /// <summary>Counted in; null when none could be had at once.</summary>
    public EndpointModel? Endpoint { get; set; }

    /// <summary>What the request's head was sent on, guarded by the deadline; null before that.</summary>
    public LoopConnection? Connection { get; set; }

    /// <summary>The head, while it is being sent; from the loop's buffers.</summary>
    public byte[] Head { get; set; } = [];

    /// <summary>The sending of the head.</summary>
    public ValueTask<bool> Sent { get; set; }

    /// <summary>The response's head has been read, or will not come: see <see cref="Status"/>.</summary>
    public bool HasHead { get; set; }
    public ParseStatus Status { get; set; }

    /// <summary>From when on a second attempt is to be made beside it, by the clock; <see cref="long.MaxValue"/> for never.</summary>
    public long HedgeAt { get; set; }

    public void Clear()
    {
        Endpoint = null;
        Connection = null;
        Sent = default;
        HasHead = false;
        Status = ParseStatus.NeedMore;
        HedgeAt = long.MaxValue;
    }
}
