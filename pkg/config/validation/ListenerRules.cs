namespace Gateway.Config.Validation;

internal static class ListenerRules
{
    public static void Validate(IReadOnlyList<ListenerConfig> listeners, References references, Findings findings)
    {
        findings.Path.Push("listeners");
        var names = new UniqueNames(findings, "listeners");
        var sockets = new Dictionary<string, string>(StringComparer.Ordinal);
        for (int i = 0; i < listeners.Count; i++)
        {
            if (listeners[i] is not { } listener) continue;
            findings.Path.PushIndex(i);
            if (listener.Name is { } name) names.Add(name, i);
            if (listener.Address is { } address) Address(address, listener, sockets, findings);
            Networks(listener.TrustedProxies, findings);
            // Who may open a Unix socket has been chosen already.
            if (listener is { ProxyProtocol: ProxyProtocolMode.Optional, TrustedProxies: { Count: 0 } } && listener.Address?.StartsWith("unix:", StringComparison.Ordinal) != true)
                findings.Warning("proxyProtocol", ConfigErrorCodes.Doubtful, "any client may send a PROXY header and so choose the address it is known by; list the balancers in trustedProxies, or make it \"required\" where only they reach the port");
            if (listener.Tls is { } tls) Tls(tls, references, findings);
            findings.Path.Pop();
        }
        findings.Path.Pop();
    }

    private static void Address(string address, ListenerConfig listener, Dictionary<string, string> sockets, Findings findings)
    {
        if (AddressSyntax.Listen(address) is { } wrong) findings.Error("address", ConfigErrorCodes.InvalidValue, wrong);
        else if (AddressSyntax.SocketKey(address) is { } key && !sockets.TryAdd(key, listener.Name))
            findings.Error("address", ConfigErrorCodes.Conflict, $"listener \"{sockets[key]}\" has {address} already; choose another port, or give its routes to one listener");
    }

    private static void Networks(IReadOnlyList<string> networks, Findings findings)
    {
        findings.Path.Push("trustedProxies");
        for (int i = 0; i < networks.Count; i++)
        {
            if (networks[i] is null || Syntax.Network(networks[i]) is not { } wrong) continue;
            findings.Path.PushIndex(i);
            findings.Error(ConfigErrorCodes.InvalidValue, wrong);
            findings.Path.Pop();
        }
        findings.Path.Pop();
    }

    private static void Tls(ListenerTlsConfig tls, References references, Findings findings)
    {
        findings.Path.Push("tls");
        findings.Path.Push("certificates");
        if (tls.Certificates is { Count: 0 }) findings.Error(ConfigErrorCodes.MissingField, "TLS needs at least one certificate; name one of certificates");
        for (int i = 0; i < (tls.Certificates?.Count ?? 0); i++)
        {
            if (tls.Certificates![i] is not { } name) continue;
            findings.Path.PushIndex(i);
            references.Certificate(name);
            findings.Path.Pop();
        }
        findings.Path.Pop();
        if (tls.ClientCa is not null) CertificateRules.File(tls.ClientCa, "clientCa", findings);
        if (tls.ClientCertificate is ClientCertificateMode.Optional or ClientCertificateMode.Required && tls.ClientCa is null)
            findings.Error("clientCertificate", ConfigErrorCodes.MissingField, "to verify client certificates the authorities are needed; add \"clientCa\"");
        if (tls.ClientCertificate is ClientCertificateMode.None && tls.ClientCa is not null)
            findings.Warning("clientCa", ConfigErrorCodes.Unused, "clientCertificate is \"none\", so the authorities are not used; set it to \"optional\" or \"required\", or remove clientCa");
        findings.Path.Pop();
    }
}
