using System.Globalization;
using Gateway.ControlPlane.Fleet;

namespace Gateway.Command.Run;

/// <summary>What was said of a fleet.</summary>
/// <param name="Connection">Null, as <paramref name="File"/> is, for a gateway by itself.</param>
/// <param name="Replica">Null for the host's name and the port of the admin API.</param>
internal sealed record FleetArguments(string? Connection, string? File, string Schema, string? Replica)
{
    /// <exception cref="FormatException">Something is wrong with it.</exception>
    public FleetOptions? Read(string? admin)
    {
        // A port that is chosen at each start names nothing.
        string? port = admin?.Split(':')[^1];
        return FleetOptions.Read(Connection, File, Schema, Replica ?? $"{Environment.MachineName}-{(port is null or "0" ? Environment.ProcessId.ToString(CultureInfo.InvariantCulture) : port)}");
    }
}
