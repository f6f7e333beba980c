using Microsoft.Extensions.Logging;

namespace Gateway.DataPlane.Server;

/// <summary>What the server says; ids from 100. Stable: operators filter by them.</summary>
internal static partial class ServerLog
{
    [LoggerMessage(100, LogLevel.Error, "Accepting on {Address} failed; trying again")]
    public static partial void AcceptFailed(ILogger logger, string address, Exception failure);

    [LoggerMessage(101, LogLevel.Information, "Listening on {Address} as {Listener}")]
    public static partial void Listening(ILogger logger, string listener, string address);

    [LoggerMessage(102, LogLevel.Information, "Listener {Listener} on {Address}: a new server has taken over, {Connections} connections drain")]
    public static partial void ServerReplaced(ILogger logger, string listener, string address, int connections);

    [LoggerMessage(103, LogLevel.Information, "Stopped listening on {Address} as {Listener}; {Connections} connections drain")]
    public static partial void ListenerRemoved(ILogger logger, string listener, string address, int connections);

    [LoggerMessage(104, LogLevel.Warning, "Listener {Listener} has {Connections} connections, its limit; new ones are closed at once")]
    public static partial void ConnectionLimitReached(ILogger logger, string listener, int connections);

    [LoggerMessage(112, LogLevel.Error, "The process has {Connections} client connections, all that its file descriptors allow; new ones on {Listener} are closed at once. Raise the limit (ulimit -n, LimitNOFILE= in systemd)")]
    public static partial void DescriptorsExhausted(ILogger logger, string listener, int connections);

    [LoggerMessage(105, LogLevel.Error, "A server of listener {Listener} did not stop cleanly")]
    public static partial void ServerStopFailed(ILogger logger, string listener, Exception failure);

    [LoggerMessage(126, LogLevel.Error, "A connection of listener {Listener} failed for a reason of the gateway's own")]
    public static partial void ConnectionFailed(ILogger logger, string listener, Exception failure);

    [LoggerMessage(120, LogLevel.Information, "Candidate {Version} serves {Percent} % of the requests beside {Live}")]
    public static partial void CanaryBegun(ILogger logger, string version, string live, double percent);

    [LoggerMessage(121, LogLevel.Information, "Candidate {Version} serves no new requests any more")]
    public static partial void CanaryEnded(ILogger logger, string version);

    [LoggerMessage(106, LogLevel.Information, "Snapshot {Version} from {Source} is live: {Listeners} listeners, {Routes} routes, {Pools} pools")]
    public static partial void Published(ILogger logger, string version, string source, int listeners, int routes, int pools);

    [LoggerMessage(107, LogLevel.Information, "Stopped: {Finished} requests in flight ended, {Aborted} were aborted")]
    public static partial void Stopped(ILogger logger, int finished, int aborted);

    [LoggerMessage(108, LogLevel.Debug, "Refused before a request was complete ({Category}): {Detail}")]
    public static partial void Refused(ILogger logger, string category, string detail);

    [LoggerMessage(109, LogLevel.Error, "Releasing {What} failed")]
    public static partial void ReleaseFailed(ILogger logger, string what, Exception failure);

    [LoggerMessage(110, LogLevel.Debug, "A replaced server of listener {Listener} has no connection left")]
    public static partial void Drained(ILogger logger, string listener);

    [LoggerMessage(114, LogLevel.Warning, "Overloaded: memory at {MemoryPercent:0.#} % of what there is, work waits {Milliseconds:0} ms; requests are turned away, the least important first")]
    public static partial void Overloaded(ILogger logger, double memoryPercent, double milliseconds);

    [LoggerMessage(115, LogLevel.Information, "No more overloaded; all requests are served")]
    public static partial void NotOverloaded(ILogger logger);

    [LoggerMessage(116, LogLevel.Error, "Memory at {MemoryPercent:0.#} % of what there is: no connections are accepted until it is less")]
    public static partial void AcceptStopped(ILogger logger, double memoryPercent);

    [LoggerMessage(117, LogLevel.Information, "Connections are accepted again")]
    public static partial void AcceptResumed(ILogger logger);

    [LoggerMessage(111, LogLevel.Error, "Looking after certificates and unused states failed; trying again in a second")]
    public static partial void UpkeepFailed(ILogger logger, Exception failure);

    [LoggerMessage(113, LogLevel.Warning, "Closed a connection to {Listener} from {Peer} for want of a good PROXY header ({Fault}); gateway_proxy_protocol_errors_total counts them, this line comes more and more rarely")]
    public static partial void ProxyHeaderRefused(ILogger logger, string listener, string peer, string fault);
}
