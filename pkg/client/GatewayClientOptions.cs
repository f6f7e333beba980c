using System.Security.Cryptography.X509Certificates;

namespace Gateway.Client;

/// <summary>How to reach an admin API.</summary>
public sealed record GatewayClientOptions
{
    /// <summary>Base address, such as <c>http://127.0.0.1:9901</c>.</summary>
    public required Uri Server { get; init; }

    /// <summary>Bearer token; null sends none, which only <c>/livez</c>, <c>/readyz</c> and, on loopback, <c>/metrics</c> accept.</summary>
    public string? Token { get; init; }

    /// <summary>Client certificate with its key, for an admin API with a client CA.</summary>
    public X509Certificate2? ClientCertificate { get; init; }

    /// <summary>Authorities to trust in place of the system's.</summary>
    public X509Certificate2Collection? Authorities { get; init; }

    /// <summary>Time for one call, to the last byte of the answer.</summary>
    public TimeSpan Timeout { get; init; } = TimeSpan.FromSeconds(30);
}

/// <summary>The language a document is written in.</summary>
public enum DocumentFormat
{
    Json,
    Yaml,
}
