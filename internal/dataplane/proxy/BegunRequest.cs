using Gateway.DataPlane.Runtime;

namespace Gateway.DataPlane.Proxy;

/// <summary>How far a request has come before it goes on by asynchronous methods; default for one that has only begun.</summary>
internal readonly struct BegunRequest
{
    /// <summary>It was looked at: <see cref="Route"/> (null when it was refused), <see cref="BodyLimit"/> and <see cref="Answered"/> say what came of that.</summary>
    public bool IsAdmitted { get; init; }
    public RouteModel? Route { get; init; }
    public long BodyLimit { get; init; }

    /// <summary>The route's filters, begun.</summary>
    public ValueTask<bool> Answered { get; init; }

    public BegunAttempt? Attempt { get; init; }

    /// <summary>All that is left of sending it on, where that is under way; null otherwise.</summary>
    public ValueTask? Forwarding { get; init; }

    /// <summary>What was thrown, and is the gateway's own fault.</summary>
    public Exception? Failure { get; init; }
}
