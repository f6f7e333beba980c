using Gateway.DataPlane.Runtime;

namespace Gateway.DataPlane.Proxy;

/// <summary>Binds a request to the live snapshot or to the candidate beside it, before anything else is read of it.</summary>
internal static class CanaryChoice
{
    /// <summary>One of the two; the context then says which, and where the request is counted.</summary>
    /// <param name="serving">With a candidate.</param>
    public static GatewaySnapshot Of(Exchange exchange, Serving serving)
    {
        RequestContext request = exchange.Context;
        CanaryRun run = serving.Canary!;
        // What the candidate cannot serve is no measure for what it can.
        if (!run.Serves(request.ListenerState)) return serving.Live;
        request.Canary = run.Counts;
        bool drawn = run.BucketOf(KeyOf(exchange, run, serving.Live)) < serving.Units;
        request.Variant = drawn ? Variant.Canary : Variant.Stable;
        return drawn ? run.Candidate : serving.Live;
    }

    // Whom to believe about the client's address is what the live listener says: a request must not choose its variant.
    private static ReadOnlySpan<char> KeyOf(Exchange exchange, CanaryRun run, GatewaySnapshot live)
    {
        if (run.Key is not { } key) return default;
        RequestContext request = exchange.Context;
        request.Listener = request.ListenerState.In(live);
        request.Peer = exchange.Downstream.Peer;
        exchange.PeerTrusted = request.Listener.Trusts(request.Peer);
        exchange.DescribeHop(request.Peer, exchange.Downstream.RequestHeaders.Host.ToString(), exchange.Downstream.Scheme);
        return RequestHash.TextOf(exchange, key);
    }
}
