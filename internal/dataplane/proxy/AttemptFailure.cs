using Gateway.DataPlane.Runtime;

namespace Gateway.DataPlane.Proxy;

/// <summary>Why an attempt failed when it was not the upstream's doing.</summary>
internal static class AttemptFailure
{
    /// <summary>Why a request got none of an endpoint's connections.</summary>
    public const string NoConnection = "The endpoint has as many connections as it may, and none of them came free in time.";

    /// <summary>The same, of one that was not let wait.</summary>
    public const string NoConnectionQueue = "The endpoint has as many connections as it may, and as many requests wait for one as may.";

    /// <summary>True when a deadline, the client's departure or the client's body ended the attempt; the context then says so.</summary>
    public static bool Told(Exchange exchange, RequestBodyContent? body)
    {
        RequestContext request = exchange.Context;
        ErrorCategory reason = exchange.Deadline.Reason;
        if (reason == ErrorCategory.None && exchange.Downstream.Aborted.IsCancellationRequested) reason = ErrorCategory.ClientClosed;
        if (reason != ErrorCategory.None)
        {
            request.Fail(reason, reason switch
            {
                ErrorCategory.RequestTimeout => "The request took longer than the route allows.",
                ErrorCategory.UpstreamTimeout => "The upstream did not answer in time.",
                ErrorCategory.Overloaded => NoConnection,
                ErrorCategory.RequestTimeoutClient => "The request body stopped coming.",
                _ => null,
            });
            return true;
        }
        if (body is not { Failure: not ErrorCategory.None }) return false;
        request.Fail(body.Failure, body.FailureDetail);
        return true;
    }
}
