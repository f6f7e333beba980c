using System.Net.Security;
using System.Security.Cryptography.X509Certificates;

namespace Gateway.DataPlane.TlsStore;

/// <summary>A certificate with its key and intermediates, ready for handshakes. Immutable.</summary>
/// <param name="Context">Shared by all connections that use it: session tickets are valid as long as it lives.</param>
/// <param name="Names">The DNS names it is for, wildcards with their star.</param>
/// <param name="ContentHash">Of the files it came from.</param>
/// <param name="LoadedAt">When the files were read, or the context was renewed.</param>
internal sealed record LoadedCertificate(
    SslStreamCertificateContext Context, string[] Names, DateTimeOffset NotAfter, byte[] ContentHash, DateTimeOffset LoadedAt)
{
    /// <summary>Another context for the same certificate. OpenSSL keeps its ticket keys there and never changes them by itself.</summary>
    public LoadedCertificate WithNewTicketKeys(X509Certificate2Collection intermediates, DateTimeOffset now) =>
        this with { Context = SslStreamCertificateContext.Create(Context.TargetCertificate, intermediates, offline: true), LoadedAt = now };
}
