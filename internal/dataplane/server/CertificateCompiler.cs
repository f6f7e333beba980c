using Gateway.Config;
using Gateway.DataPlane.TlsStore;

namespace Gateway.DataPlane.Server;

/// <summary>The certificates of a document, each read at most once, and the TLS settings made of them.</summary>
internal sealed class CertificateCompiler(
    GatewayConfig config, string baseDirectory, StateRegistry registry, TimeProvider time, List<ConfigError> errors, List<ConfigError> warnings)
{
    /// <summary>As the contract says for the expiry warning.</summary>
    public static readonly TimeSpan ExpiryWarning = TimeSpan.FromDays(14);

    // Null: it is no good, and that has been said.
    private readonly Dictionary<string, CertificateState?> _byName = [];
    private readonly Dictionary<string, ClientAuthorities?> _authorities = [];

    public ServerTls? Compile(ListenerTlsConfig tls, bool http2, string path)
    {
        List<CertificateState> certificates = [];
        for (int i = 0; i < tls.Certificates.Count; i++)
        {
            if (Find(tls.Certificates[i], $"{path}.certificates[{i}]") is { } state) certificates.Add(state);
        }
        if (tls.Certificates.Count == 0)
            errors.Add(new ConfigError(path + ".certificates", ConfigErrorCodes.MissingField, "TLS needs at least one certificate; name one of certificates"));

        ClientAuthorities? authorities = tls.ClientCa is null ? null : Authorities(tls.ClientCa, path + ".clientCa");
        ClientCertificateMode mode = tls.ClientCertificate ?? (tls.ClientCa is null ? ClientCertificateMode.None : ClientCertificateMode.Required);
        if (mode != ClientCertificateMode.None && tls.ClientCa is null)
            errors.Add(new ConfigError(path + ".clientCa", ConfigErrorCodes.MissingField, "client certificates are asked for, but nothing says who may issue them; set clientCa to a PEM file with the authorities"));
        return certificates.Count == 0 ? null : new ServerTls([.. certificates], tls.MinVersion, mode, authorities, http2);
    }

    /// <summary>Files of certificates that no listener uses are not read: they may be on their way to be removed.</summary>
    public void WarnOfUnused()
    {
        foreach (string name in config.Certificates.Keys)
        {
            if (!_byName.ContainsKey(name)) warnings.Add(new ConfigError($"certificates.{name}", ConfigErrorCodes.Unused, $"no listener uses certificate '{name}'; name it in a listener's tls.certificates, or remove it"));
        }
    }

    private CertificateState? Find(string name, string path)
    {
        if (_byName.TryGetValue(name, out CertificateState? state)) return state;
        if (!config.Certificates.TryGetValue(name, out CertificateConfig? certificate))
        {
            errors.Add(new ConfigError(path, ConfigErrorCodes.UnknownReference, $"there is no certificate '{name}'; add it under certificates, or name one that is there"));
            return null;
        }
        return _byName[name] = Load(name, certificate);
    }

    private CertificateState? Load(string name, CertificateConfig certificate)
    {
        string path = $"certificates.{name}";
        CertificateKey key = new(Path.Combine(baseDirectory, certificate.CertFile), Path.Combine(baseDirectory, certificate.KeyFile), certificate.KeyPassword?.Value);
        CertificateState? live = registry.FindCertificate(key);
        LoadedCertificate? loaded = null;
        // Two names for the same files are one certificate.
        foreach (CertificateState? other in _byName.Values) if (other is not null && other.Key == key) live ??= other;
        if (live is null)
        {
            if (!CertificateFiles.TryLoad(key, time.GetUtcNow(), out loaded, out CertificateFiles.Failure failure))
            {
                errors.Add(new ConfigError(path + (failure.InKeyFile ? ".keyFile" : ".certFile"), failure.Code, failure.Message));
                return null;
            }
        }
        else if (live.Broken is { } broken)
        {
            // What is served stays good: a broken renewal is no reason to refuse an unrelated change.
            warnings.Add(new ConfigError(path + ".certFile", ConfigErrorCodes.InvalidCertificate, $"the files changed and cannot be used, the certificate read before stays in use: {broken}"));
        }
        CertificateState state = live ?? new CertificateState(name, key, loaded!);
        DateTimeOffset notAfter = state.Current.NotAfter;
        if (notAfter - time.GetUtcNow() < ExpiryWarning)
            warnings.Add(new ConfigError(path + ".certFile", ConfigErrorCodes.CertificateExpiry, $"certificate '{name}' {(notAfter < time.GetUtcNow() ? "expired" : "expires")} at {notAfter:u}; renew it"));
        return state;
    }

    private ClientAuthorities? Authorities(string file, string path)
    {
        if (_authorities.TryGetValue(file, out ClientAuthorities? known)) return known;
        if (!ClientAuthorities.TryLoad(Path.Combine(baseDirectory, file), out ClientAuthorities? loaded, out string code, out string message))
            errors.Add(new ConfigError(path, code, message));
        return _authorities[file] = loaded;
    }
}
