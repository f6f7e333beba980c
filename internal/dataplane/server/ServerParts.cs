using Gateway.DataPlane.Runtime;
using Microsoft.Extensions.Logging;

namespace Gateway.DataPlane.Server;

/// <summary>What all servers of the process share.</summary>
/// <param name="ApplicationOf">The application for a listener; one per running server.</param>
internal sealed record ServerParts(
    Func<ListenerState, ListenerApplication> ApplicationOf, KestrelServices KestrelServices, TimeProvider Time, ILogger Logger);

/// <summary>Kestrel asks its options for services only when TLS is set up, and then for loggers: a container would cost start-up time for one answer.</summary>
internal sealed class KestrelServices(ILoggerFactory loggers) : IServiceProvider
{
    public ILoggerFactory Loggers => loggers;

    public object? GetService(Type serviceType) => serviceType == typeof(ILoggerFactory) ? loggers : null;
}
