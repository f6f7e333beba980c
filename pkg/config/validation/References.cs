namespace Gateway.Config.Validation;

/// <summary>What may be referred to by name, and what was.</summary>
internal sealed class References
{
    private readonly GatewayConfig _config;
    private readonly Findings _findings;
    private readonly HashSet<string> _listeners;
    private readonly HashSet<string> _usedPools = new(StringComparer.Ordinal);
    private readonly HashSet<string> _usedCertificates = new(StringComparer.Ordinal);
    private readonly bool _judgeListeners;
    private readonly bool _judgePools;
    private readonly bool _judgeCertificates;

    public References(GatewayConfig config, Findings findings)
    {
        _config = config;
        _findings = findings;
        _listeners = new HashSet<string>(config.Listeners.Where(l => l?.Name is not null).Select(l => l.Name), StringComparer.Ordinal);
        // A listener whose name could not be read may be the one that is meant.
        _judgeListeners = !findings.IsUnreadable("listeners") && config.Listeners.All(l => l?.Name is not null);
        _judgePools = !findings.IsUnreadable("pools");
        _judgeCertificates = !findings.IsUnreadable("certificates");
    }

    public void Pool(string name)
    {
        _usedPools.Add(name);
        if (_judgePools && !_config.Pools.ContainsKey(name)) _findings.UnknownReference(name, "pools", _config.Pools.Keys);
    }

    public void Certificate(string name)
    {
        _usedCertificates.Add(name);
        if (_judgeCertificates && !_config.Certificates.ContainsKey(name)) _findings.UnknownReference(name, "certificates", _config.Certificates.Keys);
    }

    public void Listener(string name)
    {
        if (_judgeListeners && !_listeners.Contains(name)) _findings.UnknownReference(name, "the names of listeners", _listeners);
    }

    public void WarnOfUnused()
    {
        WarnOfUnused("pools", _config.Pools.Keys, _usedPools, "no route forwards to the pool");
        WarnOfUnused("certificates", _config.Certificates.Keys, _usedCertificates, "no listener uses the certificate");
    }

    private void WarnOfUnused(string section, IEnumerable<string> names, HashSet<string> used, string message)
    {
        _findings.Path.Push(section);
        foreach (string name in names)
            if (!used.Contains(name)) _findings.Warning(name, ConfigErrorCodes.Unused, $"{message}; remove it, or refer to it");
        _findings.Path.Pop();
    }
}
