using System.Net;
using Gateway.Core.Router;
using Gateway.DataPlane.Runtime;

namespace Gateway.DataPlane.Server;

/// <summary>The listener that a request described by its URL would come in on.</summary>
internal static class ListenerChoice
{
    /// <param name="snapshot">Where to look.</param>
    /// <param name="running">What is bound now, for listeners whose port the system chose.</param>
    /// <param name="request">Its scheme and port are looked at.</param>
    /// <param name="among">Names to choose from; empty for all.</param>
    /// <param name="why">Why this one; or, without one, what is wrong.</param>
    public static ListenerModel? For(
        GatewaySnapshot snapshot, IReadOnlyList<ListenerStatus> running, in DescribedRequest request, IReadOnlyList<string> among, out string why)
    {
        bool tls = request.Scheme == "https";
        ListenerModel? fallback = null;
        foreach (ListenerModel listener in snapshot.Listeners)
        {
            if (among.Count != 0 && !among.Contains(listener.Name)) continue;
            if (listener.Tls is not null == tls && PortOf(listener, running) == request.Port)
            {
                why = $"it serves {request.Scheme} on port {request.Port}";
                return listener;
            }
            if (fallback is null || (listener.Tls is not null == tls && fallback.Tls is not null != tls)) fallback = listener;
        }
        why = fallback is null
            ? among.Count == 0 ? "the configuration has no listener" : $"there is no listener '{string.Join("', '", among)}'"
            : among.Count == 1 ? "it was asked for" : $"no listener serves {request.Scheme} on port {request.Port}; this is the first that {(fallback.Tls is not null == tls ? $"serves {request.Scheme}" : "there is")}";
        return fallback;
    }

    private static int PortOf(ListenerModel listener, IReadOnlyList<ListenerStatus> running)
    {
        if (listener.EndPoint is not IPEndPoint { Port: var port }) return -1;
        if (port != 0) return port;
        foreach (ListenerStatus status in running)
            if (status.Name == listener.Name && IPEndPoint.TryParse(status.BoundAddress, out IPEndPoint? bound)) return bound.Port;
        return 0;
    }
}
