using Gateway.DataPlane.Runtime;
using Microsoft.Extensions.Logging;

namespace Gateway.DataPlane.Server;

/// <summary>What all servers of the process share.</summary>
/// <param name="ApplicationOf">The application for a listener; one per running server.</param>
internal sealed record ServerParts(
    Func<ListenerState, ListenerApplication> ApplicationOf, KestrelServices KestrelServices, TimeProvider Time, ILogger Logger);
