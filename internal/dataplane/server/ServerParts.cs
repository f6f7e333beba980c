using Gateway.DataPlane.Runtime;
using Gateway.DataPlane.Transport;
using Microsoft.Extensions.Logging;

namespace Gateway.DataPlane.Server;

/// <summary>What all servers of the process share.</summary>
/// <param name="ApplicationOf">The application for a listener; one per running server.</param>
/// <param name="Connections">What the process can hold.</param>
/// <param name="Gate">Whether connections are accepted.</param>
internal sealed record ServerParts(
    Func<ListenerState, ListenerApplication> ApplicationOf, KestrelServices KestrelServices, ConnectionBudget Connections, AcceptGate Gate, TimeProvider Time, ILogger Logger);
