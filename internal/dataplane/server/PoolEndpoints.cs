using System.Net;
using Gateway.Config;
using Gateway.DataPlane.Discovery;
using Gateway.DataPlane.Runtime;
using Gateway.DataPlane.Transport;

namespace Gateway.DataPlane.Server;

/// <summary>The endpoints of one pool of one document: those it lists, and those that its discovery finds; what lives on under the same id and settings is taken over.</summary>
/// <param name="discovery">Null for none.</param>
internal sealed class PoolEndpoints(
    PoolState pool, PoolConfig config, UpstreamTls? tls, PoolParts parts, EndpointDiscovery? discovery) : EndpointSource
{
    public override EndpointDiscovery Discovery => discovery!;

    public override EndpointModel[] Make(IReadOnlyList<DiscoveredEndpoint> found)
    {
        List<EndpointModel> endpoints = new(config.Endpoints.Count + found.Count);
        foreach (EndpointConfig endpoint in config.Endpoints) endpoints.Add(Make(endpoint, tls, endpoints));
        foreach (DiscoveredEndpoint endpoint in found)
        {
            // One that is listed too is what the document says of it.
            if (endpoints.Exists(e => e.Address == endpoint.Address)) continue;
            endpoints.Add(Make(new EndpointConfig { Address = endpoint.Address, Weight = endpoint.Weight, Priority = endpoint.Priority }, TlsOfFound(), endpoints));
        }
        return [.. endpoints];
    }

    // An address has no name to verify a certificate by: that is the one it was found under.
    private UpstreamTls? TlsOfFound()
    {
        UpstreamTls? given = tls ?? (config.Protocol == UpstreamProtocol.Https ? UpstreamTls.Default : null);
        return given is { ServerName: null } ? given.For(((DnsSettings)Discovery.Key).Name.TrimEnd('.')) : given;
    }

    private EndpointModel Make(EndpointConfig endpoint, UpstreamTls? withTls, List<EndpointModel> earlier)
    {
        int rank = (2 * endpoint.Priority) + (parts.Zone is null || endpoint.Zone == parts.Zone ? 0 : 1);
        // An address twice in a pool is one endpoint with two places in the balancer.
        if (earlier.Find(e => e.Address == endpoint.Address) is { } same)
        {
            return new EndpointModel
            {
                Address = endpoint.Address,
                Weight = endpoint.Weight,
                Zone = endpoint.Zone,
                Priority = endpoint.Priority,
                Rank = rank,
                Tag = same.Tag,
                State = same.State,
                Upstream = same.Upstream,
            };
        }
        StateRegistry.UpstreamKey key = new(pool.Name, UpstreamSettings.From(config, endpoint, withTls));
        return new EndpointModel
        {
            Address = endpoint.Address,
            Weight = endpoint.Weight,
            Zone = endpoint.Zone,
            Priority = endpoint.Priority,
            Rank = rank,
            Tag = config.Affinity is { } affinity ? EndpointTag.Create(parts.AffinityKey, pool.Name, endpoint.Address, affinity.Cookie, affinity.Ttl) : null,
            State = parts.Registry.FindEndpoint(new StateRegistry.EndpointKey(pool.Name, endpoint.Address, pool.Trial)) ?? new EndpointState(pool.Name, endpoint.Address) { Trial = pool.Trial },
            Upstream = parts.Registry.FindUpstream(key) ?? Create(key),
        };
    }

    // Opens nothing before the first request: a candidate that is dropped leaves only garbage.
    private Upstream Create(StateRegistry.UpstreamKey key)
    {
        Upstream upstream = parts.Upstreams.Create(key.Settings);
        upstream.Key = key;
        return upstream;
    }
}
