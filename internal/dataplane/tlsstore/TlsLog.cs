using Microsoft.Extensions.Logging;

namespace Gateway.DataPlane.TlsStore;

/// <summary>What the certificate store says; ids from 200. Stable: operators filter by them.</summary>
internal static partial class TlsLog
{
    [LoggerMessage(200, LogLevel.Information, "Certificate {Certificate} was swapped; the new one is valid until {NotAfter:u}")]
    public static partial void CertificateSwapped(ILogger logger, string certificate, DateTimeOffset notAfter);

    [LoggerMessage(201, LogLevel.Error, "Certificate {Certificate} changed on disk and cannot be used; the old one stays: {Reason}")]
    public static partial void CertificateRefused(ILogger logger, string certificate, string reason);

    [LoggerMessage(202, LogLevel.Warning, "Certificate {Certificate} is valid until {NotAfter:u}, less than 14 days; renew it")]
    public static partial void CertificateExpires(ILogger logger, string certificate, DateTimeOffset notAfter);

    [LoggerMessage(203, LogLevel.Error, "Client authorities in {File} changed on disk and cannot be used; the old ones stay: {Reason}")]
    public static partial void AuthoritiesRefused(ILogger logger, string file, string reason);

    [LoggerMessage(204, LogLevel.Information, "Client authorities in {File} were swapped: {Count} certificates")]
    public static partial void AuthoritiesSwapped(ILogger logger, string file, int count);
}
