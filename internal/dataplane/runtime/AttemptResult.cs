namespace Gateway.DataPlane.Runtime;

/// <summary>How an attempt at an endpoint ended.</summary>
internal enum AttemptKind : byte
{
    /// <summary>A response with a status below 500.</summary>
    Success,

    /// <summary>A response of 5xx.</summary>
    ServerError,
    ConnectFailed,
    Reset,
    ProtocolError,
    Timeout,

    /// <summary>It ended for a reason of the client's or the gateway's own, and says nothing about the endpoint.</summary>
    NotOfTheUpstream,
}

/// <summary>The end of an attempt as one value, from which counters, latency, ejection and breaker are fed.</summary>
/// <param name="Status">The response's; 0 without one.</param>
/// <param name="Ticks">Of <see cref="TimeProvider.GetTimestamp"/>, from the attempt's start to the response's head or to the failure.</param>
internal readonly record struct AttemptResult(AttemptKind Kind, int Status, long Ticks)
{
    public bool HasResponse => Kind <= AttemptKind.ServerError;

    /// <summary>The endpoint gave no response that could be used.</summary>
    public bool IsFailure => Kind is AttemptKind.ConnectFailed or AttemptKind.Reset or AttemptKind.ProtocolError or AttemptKind.Timeout;

    /// <param name="category">What ended the attempt; <see cref="ErrorCategory.None"/> for a response.</param>
    /// <param name="status">The response's status.</param>
    /// <param name="ticks">As <see cref="Ticks"/>.</param>
    public static AttemptResult Of(ErrorCategory category, int status, long ticks) => category switch
    {
        ErrorCategory.None => new(status >= 500 ? AttemptKind.ServerError : AttemptKind.Success, status, ticks),
        ErrorCategory.UpstreamConnectFailed => new(AttemptKind.ConnectFailed, 0, ticks),
        ErrorCategory.UpstreamReset => new(AttemptKind.Reset, 0, ticks),
        ErrorCategory.UpstreamProtocolError => new(AttemptKind.ProtocolError, 0, ticks),
        // As far as the endpoint had the time: who records it knows.
        ErrorCategory.UpstreamTimeout or ErrorCategory.RequestTimeout => new(AttemptKind.Timeout, 0, ticks),
        _ => new(AttemptKind.NotOfTheUpstream, 0, ticks),
    };
}
