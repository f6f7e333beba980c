namespace Gateway.Core.Retry;

/// <summary>Why an attempt did not give the client its answer; what a route retries on is a set of them.</summary>
[Flags]
public enum RetryConditions : byte
{
    None = 0,

    /// <summary>No connection could be had: refused, unreachable, not in time, or TLS failed.</summary>
    Connect = 1,

    /// <summary>The connection or stream was reset, closed or garbled before the head of a response.</summary>
    Reset = 2,

    /// <summary>The upstream said that it has not begun the request: REFUSED_STREAM, or a stream above GOAWAY's last (RFC 9113 section 8.7).</summary>
    Refused = 4,

    /// <summary>The head of the response did not come in the attempt's time.</summary>
    Timeout = 8,

    /// <summary>A response of 500 to 599.</summary>
    ServerError = 16,

    /// <summary>A response of 502, 503 or 504.</summary>
    GatewayError = 32,
}

/// <summary>Which attempts may be made again. Immutable.</summary>
public sealed class RetryPolicy
{
    private readonly RetryConditions _on;
    private readonly ulong[] _codes = new ulong[10];

    /// <param name="attempts">Attempts in all; 1 for no retry.</param>
    /// <param name="on">Conditions.</param>
    /// <param name="codes">Further status codes, 400 to 599.</param>
    /// <param name="anyMethod">Retry also what is not idempotent, though the upstream may have done it already.</param>
    public RetryPolicy(int attempts, RetryConditions on, ReadOnlySpan<int> codes = default, bool anyMethod = false)
    {
        (Attempts, _on, AnyMethod) = (attempts, on, anyMethod);
        foreach (int code in codes) _codes[code >> 6] |= 1UL << (code & 63);
    }

    /// <summary>In all, the first included.</summary>
    public int Attempts { get; }

    public bool AnyMethod { get; }

    /// <summary>
    /// Whether what happened to an attempt is a reason to make another: its kind is one that the route retries on, and the request may be
    /// sent twice (RFC 9110 section 9.2.2) or certainly was not processed.
    /// </summary>
    /// <param name="happened">One condition for a failure; none for a response, which goes by its status.</param>
    /// <param name="status">Of the response; 0 without one.</param>
    /// <param name="method">The request's.</param>
    /// <param name="notProcessed">The upstream has certainly not begun with it.</param>
    public bool Allows(RetryConditions happened, int status, string method, bool notProcessed)
    {
        if (status != 0) happened = OfStatus(status);
        bool matches = (happened & _on) != 0 || (status is > 0 and < 640 && (_codes[status >> 6] >> (status & 63) & 1) != 0);
        return matches && (notProcessed || AnyMethod || Methods.IsIdempotent(method));
    }

    private static RetryConditions OfStatus(int status) => status switch
    {
        502 or 503 or 504 => RetryConditions.ServerError | RetryConditions.GatewayError,
        >= 500 and <= 599 => RetryConditions.ServerError,
        _ => RetryConditions.None,
    };
}
