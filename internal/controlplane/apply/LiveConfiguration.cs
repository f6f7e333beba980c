using Gateway.Config;
using Gateway.ControlPlane.Layers;

namespace Gateway.ControlPlane.Apply;

/// <summary>What is live, and how it came to be.</summary>
/// <param name="Digest">Of the document's exact bytes; its name in the store.</param>
/// <param name="Sequence">Of its record in the history; 0 when it could not be recorded.</param>
/// <param name="UnstoredContent">The document itself, only when the store could not keep it.</param>
public sealed record LiveConfiguration(
    string Version,
    string Digest,
    DocumentFormat Format,
    ChangeOrigin Origin,
    DateTimeOffset AppliedAt,
    long Sequence,
    IReadOnlyList<ConfigError> Warnings,
    byte[]? UnstoredContent)
{
    /// <summary>Which change of the fleet it is; null outside a fleet, and while the fleet does not know of it.</summary>
    public long? FleetSequence { get; init; }

    /// <summary>What the sources brought of which it is made, and what is covered by that.</summary>
    public LayerSet Layers { get; init; } = LayerSet.Empty;
}
