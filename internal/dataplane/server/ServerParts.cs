using Gateway.DataPlane.Runtime;
using Microsoft.Extensions.Logging;

namespace Gateway.DataPlane.Server;

/// <summary>What all servers of the process share.</summary>
/// <param name="ApplicationOf">The application for a listener; one per running server.</param>
/// <param name="Connections">What the process can hold.</param>
internal sealed record ServerParts(
    Func<ListenerState, ListenerApplication> ApplicationOf, KestrelServices KestrelServices, ConnectionBudget Connections, TimeProvider Time, ILogger Logger);
