namespace Gateway.Config.Validation;

internal static class PoolRules
{
    public static void Validate(IReadOnlyDictionary<string, PoolConfig> pools, Findings findings)
    {
        findings.Path.Push("pools");
        foreach ((string name, PoolConfig pool) in pools)
        {
            findings.Path.Push(name);
            if (Syntax.Name(name) is { } wrong) findings.Error(ConfigErrorCodes.InvalidValue, wrong);
            if (pool?.Endpoints is { } endpoints) Endpoints(endpoints, findings);
            if (pool?.Tls is { } tls) Tls(tls, pool.Protocol, findings);
            if (pool?.Breaker is { } breaker) AttemptRules.Breaker(breaker, findings);
            if (pool?.Affinity is { Cookie: { } cookie })
            {
                findings.Path.Push("affinity");
                if (Syntax.Token(cookie, "a cookie's name") is { } wrongCookie) findings.Error("cookie", ConfigErrorCodes.InvalidValue, wrongCookie);
                findings.Path.Pop();
            }
            if (pool?.Discovery is { } discovery) Discovery(discovery, findings);
            if (pool?.LoadBalancing is { } balancing) Balancing(balancing, pool.SlowStart, findings);
            if (pool is not null) HealthRules.Validate(pool, findings);
            findings.Path.Pop();
        }
        findings.Path.Pop();
    }

    private static void Endpoints(IReadOnlyList<EndpointConfig> endpoints, Findings findings)
    {
        findings.Path.Push("endpoints");
        Dictionary<string, int>? seen = endpoints.Count > 1 ? new(endpoints.Count, StringComparer.OrdinalIgnoreCase) : null;
        bool takesRequests = endpoints.Count == 0;
        for (int i = 0; i < endpoints.Count; i++)
        {
            takesRequests |= endpoints[i] is not { Weight: 0 };
            if (endpoints[i] is not { } endpoint) continue;
            if (endpoint.Address is null) continue;
            findings.Path.PushIndex(i);
            if (endpoint.Zone is not null && Syntax.Name(endpoint.Zone) is { } wrongZone) findings.Error("zone", ConfigErrorCodes.InvalidValue, wrongZone);
            if (AddressSyntax.Endpoint(endpoint.Address) is { } wrong) findings.Error("address", ConfigErrorCodes.InvalidValue, wrong);
            else if (seen is not null && !seen.TryAdd(endpoint.Address, i))
                findings.Error("address", ConfigErrorCodes.DuplicateName, $"endpoint {seen[endpoint.Address]} of the pool has the address already; remove one, and give the other their weights together");
            findings.Path.Pop();
        }
        if (!takesRequests) findings.Warning(ConfigErrorCodes.Doubtful, "every endpoint has weight 0, so every request gets 503; give one a weight");
        findings.Path.Pop();
    }

    private static void Balancing(LoadBalancingConfig balancing, TimeSpan? slowStart, Findings findings)
    {
        if (slowStart is not null && balancing.Policy is (LoadBalancingPolicy.Maglev or LoadBalancingPolicy.RingHash or LoadBalancingPolicy.First))
            findings.Error("slowStart", ConfigErrorCodes.Conflict, "the policy maglev, ringHash or first moves no requests slowly; choose another policy, or remove it");
        findings.Path.Push("loadBalancing");
        if (balancing.Policy is not (LoadBalancingPolicy.Maglev or LoadBalancingPolicy.RingHash))
        {
            const string Fix = "set policy to \"maglev\" or \"ringHash\", or remove it";
            if (balancing.Key is not null) findings.Error("key", ConfigErrorCodes.Conflict, $"the policy goes by no key; {Fix}");
            if (balancing.BoundedLoad is not null) findings.Error("boundedLoad", ConfigErrorCodes.Conflict, $"the policy has no bound; {Fix}");
        }
        if (balancing.BoundedLoad is { } bound and not 0 and not (>= 1 and <= 100))
            findings.Error("boundedLoad", ConfigErrorCodes.OutOfRange, $"{bound.ToString(System.Globalization.CultureInfo.InvariantCulture)} is not from 1 to 100, nor 0 for no bound; an endpoint cannot be kept below its share");
        findings.Path.Pop();
    }

    private static void Discovery(DiscoveryConfig discovery, Findings findings)
    {
        findings.Path.Push("discovery");
        if (discovery.Dns is { } dns && AddressSyntax.Discoverable(dns) is { } wrong) findings.Error("dns", ConfigErrorCodes.InvalidValue, wrong);
        if (discovery.Interval is { } interval && interval != "ttl")
        {
            if (!DurationText.TryParse(interval, out TimeSpan every))
                findings.Error("interval", ConfigErrorCodes.InvalidValue, $"\"{Reading.JsonTokens.Shorten(interval)}\" is not \"ttl\" or a duration such as \"30s\"");
            else if (every < TimeSpan.FromSeconds(1) || every > TimeSpan.FromHours(1))
                findings.Error("interval", ConfigErrorCodes.OutOfRange, $"{interval} is not from 1s to 1h");
        }
        if (discovery.Resolver is { } resolver && AddressSyntax.Server(resolver) is { } bad) findings.Error("resolver", ConfigErrorCodes.InvalidValue, bad);
        findings.Path.Pop();
    }

    private static void Tls(UpstreamTlsConfig tls, UpstreamProtocol protocol, Findings findings)
    {
        findings.Path.Push("tls");
        if (protocol is not (UpstreamProtocol.Https or UpstreamProtocol.Grpc))
            findings.Error(ConfigErrorCodes.Conflict, $"the protocol {(protocol == UpstreamProtocol.H2c ? "h2c" : "http1")} is clear text; set protocol to \"https\" (or \"grpc\"), or remove tls");
        if ((tls.CertFile is null) != (tls.KeyFile is null))
            findings.Error(tls.CertFile is null ? "certFile" : "keyFile", ConfigErrorCodes.MissingField, $"a client certificate needs both files; add \"{(tls.CertFile is null ? "certFile" : "keyFile")}\"");
        if (tls.Ca is not null) CertificateRules.File(tls.Ca, "ca", findings);
        if (tls.CertFile is not null) CertificateRules.File(tls.CertFile, "certFile", findings);
        if (tls.KeyFile is not null) CertificateRules.File(tls.KeyFile, "keyFile", findings);
        if (tls.ServerName is not null && Syntax.Host(tls.ServerName) is { } wrong) findings.Error("serverName", ConfigErrorCodes.InvalidValue, wrong);
        if (!tls.Verify) findings.Warning("verify", ConfigErrorCodes.Doubtful, "the endpoints' certificates are not verified, so anyone on the way can read and change the traffic; name the authorities in \"ca\" instead");
        findings.Path.Pop();
    }
}
