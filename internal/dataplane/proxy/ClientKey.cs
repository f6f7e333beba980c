using System.Net;
using Gateway.DataPlane.Runtime;

namespace Gateway.DataPlane.Proxy;

/// <summary>By what a route tells its clients apart where each has a retry budget of its own.</summary>
internal static class ClientKey
{
    /// <summary>0 where nobody asks, for a client without an address, and for one that does not send the field.</summary>
    public static ulong Of(Exchange exchange)
    {
        RouteAttempts shared = exchange.Attempts.Shared;
        if (shared.Clients is null) return 0;
        int hash;
        if (shared.Plan.ClientHeader is { } header) hash = exchange.Downstream.RequestHeaders[header].ToString().GetHashCode();
        else if (ClientAddress.Of(exchange) is { } address) hash = HashCode.Combine(AddressRate.KeyOf(address));
        else return 0;
        // Both hashes are seeded by the process. Spread, because the table takes what it needs from either end.
        return (uint)hash * 0x9E3779B97F4A7C15;
    }
}
