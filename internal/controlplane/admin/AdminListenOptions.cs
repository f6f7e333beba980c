using System.Net;
using System.Security.Cryptography.X509Certificates;

namespace Gateway.ControlPlane.Admin;

/// <summary>Where the admin API listens, and how it is protected.</summary>
public sealed class AdminListenOptions : IDisposable
{
    public required IPEndPoint Address { get; init; }

    /// <summary>With its private key; null for clear text.</summary>
    public X509Certificate2? Certificate { get; init; }

    /// <summary>Sent after the certificate.</summary>
    public X509Certificate2Collection Chain { get; init; } = [];

    /// <summary>Authorities of client certificates; null asks for none.</summary>
    public X509Certificate2Collection? ClientAuthorities { get; init; }

    /// <summary>Reads the files and refuses what is not safe.</summary>
    /// <exception cref="FormatException">With a message for a person that says how to mend it.</exception>
    public static AdminListenOptions Load(string address, string? certFile, string? keyFile, string? clientCaFile)
    {
        IPEndPoint endPoint = ParseAddress(address, "--admin");
        if (certFile is null != keyFile is null) throw new FormatException("--admin-tls-cert and --admin-tls-key are given both or not at all");
        if (clientCaFile is not null && certFile is null) throw new FormatException("--admin-client-ca needs --admin-tls-cert and --admin-tls-key: without TLS there are no client certificates");
        if (!IPAddress.IsLoopback(endPoint.Address) && clientCaFile is null)
        {
            throw new FormatException($"the admin listener {endPoint} can be reached from other machines, so it needs TLS and client certificates: " +
                "give --admin-tls-cert, --admin-tls-key and --admin-client-ca, or listen on 127.0.0.1 (and expose metrics and probes with metrics.listener)");
        }
        try
        {
            X509Certificate2Collection chain = [];
            X509Certificate2? certificate = null;
            if (certFile is not null)
            {
                certificate = X509Certificate2.CreateFromPemFile(certFile, keyFile);
                chain.ImportFromPemFile(certFile);
                chain.RemoveAt(0);
            }
            X509Certificate2Collection? authorities = null;
            if (clientCaFile is not null)
            {
                authorities = [];
                authorities.ImportFromPemFile(clientCaFile);
                if (authorities.Count == 0) throw new FormatException($"--admin-client-ca: '{clientCaFile}' holds no PEM certificate");
            }
            return new AdminListenOptions { Address = endPoint, Certificate = certificate, Chain = chain, ClientAuthorities = authorities };
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException or System.Security.Cryptography.CryptographicException)
        {
            throw new FormatException($"the admin listener's certificates cannot be read: {e.Message}", e);
        }
    }

    /// <summary><c>IP:PORT</c>, <c>[IP6]:PORT</c>, <c>localhost:PORT</c> or <c>:PORT</c> (all addresses).</summary>
    public static IPEndPoint ParseAddress(string text, string name)
    {
        int colon = text.LastIndexOf(':');
        string host = colon < 0 ? "" : text[..colon];
        if (colon < 0 || !ushort.TryParse(text.AsSpan(colon + 1), System.Globalization.NumberStyles.None, null, out ushort port))
            throw new FormatException($"{name}: '{text}' is no address; write IP:PORT, for example 127.0.0.1:9901");
        if (host is "" or "*") return new IPEndPoint(IPAddress.IPv6Any, port);
        if (host.Equals("localhost", StringComparison.OrdinalIgnoreCase)) return new IPEndPoint(IPAddress.Loopback, port);
        bool bracketed = host[0] == '[' && host[^1] == ']';
        if (IPAddress.TryParse(bracketed ? host[1..^1] : host, out IPAddress? ip) && bracketed == (ip.AddressFamily == System.Net.Sockets.AddressFamily.InterNetworkV6)) return new IPEndPoint(ip, port);
        throw new FormatException($"{name}: '{host}' is no IP address; write IP:PORT, for example 127.0.0.1:{port} or [::1]:{port}");
    }

    public void Dispose() => Certificate?.Dispose();
}
