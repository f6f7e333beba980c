using Microsoft.Extensions.Logging;

namespace Gateway.DataPlane.Health;

/// <summary>What the health of endpoints says; ids from 300. Stable: operators filter by them.</summary>
internal static partial class HealthLog
{
    [LoggerMessage(300, LogLevel.Warning, "Pool {Pool}: {Endpoint} is {To}, was {From} ({Cause}): {Detail}")]
    public static partial void Worse(ILogger logger, string pool, string endpoint, string from, string to, string cause, string detail);

    [LoggerMessage(301, LogLevel.Information, "Pool {Pool}: {Endpoint} is {To}, was {From} ({Cause}): {Detail}")]
    public static partial void Better(ILogger logger, string pool, string endpoint, string from, string to, string cause, string detail);

    [LoggerMessage(302, LogLevel.Error, "Looking after the health of pool {Pool} failed; trying again")]
    public static partial void MonitorFailed(ILogger logger, string pool, Exception failure);
}
