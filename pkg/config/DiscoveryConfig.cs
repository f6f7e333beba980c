namespace Gateway.Config;

[Doc("Endpoints that are found by DNS and followed while they change, without another apply. An answer that is empty or fails changes nothing: the last one stays.")]
public sealed record DiscoveryConfig
{
    [Doc("\"NAME:PORT\" for the addresses (A, AAAA) of a name, or the name of a service, \"_http._tcp.shop.internal\", for its SRV records: their targets, ports, weights and priorities. localhost and names of the hosts file are resolved by the system, as all are where there is no /etc/resolv.conf. With TLS, certificates are verified by this name unless tls.serverName is set.")]
    [Example("\"shop.default.svc:8080\"")]
    public required string Dns { get; init; }

    [Doc("How often: \"ttl\", for as long as an answer holds (from 1s to 1h), or a duration from 1s to 1h. What the system resolves holds 30s.")]
    public string Interval { get; init; } = "ttl";

    [Doc("Address and port of the name server. Default: those of /etc/resolv.conf, with its search domains.")]
    [Example("\"10.0.0.53:53\"")]
    public string? Resolver { get; init; }
}
