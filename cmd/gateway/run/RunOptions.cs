using Gateway.Command.Commands;
using Gateway.ControlPlane.Fleet;
using Gateway.DataPlane.Server;
using Microsoft.Extensions.Logging;

namespace Gateway.Command.Run;

/// <summary>What <c>gateway run</c> was asked for.</summary>
/// <param name="ConfigFile">Null for none: the configuration is pulled.</param>
/// <param name="Admin">Address of the admin API; null for none.</param>
/// <param name="Loops">Null for one per processor.</param>
/// <param name="Zone">Null when it is not known.</param>
/// <param name="TokenFile">Null for the one in the data folder.</param>
internal sealed record RunOptions(
    string? ConfigFile, string? Admin, string? TokenFile, string? TlsCert, string? TlsKey, string? ClientCa, string DataFolder, bool LastGood, TransportKind Transport, int? Loops, string? Zone, LogLevel LogLevel)
{
    /// <summary>Files of the public keys that may sign bundles.</summary>
    public IReadOnlyList<string> PublicKeys { get; init; } = [];

    /// <summary>How many of them must sign.</summary>
    public int Threshold { get; init; } = 1;

    /// <summary>Where bundles are fetched from; null for nowhere.</summary>
    public PullArguments? Pull { get; init; }

    /// <summary>Whether it is a replica of a fleet.</summary>
    public FleetArguments Fleet { get; init; } = new(null, null, FleetOptions.DefaultSchema, null);

    /// <summary>Take unsigned configurations although there are keys.</summary>
    public bool AllowUnsigned { get; init; }
}
