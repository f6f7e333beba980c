using Gateway.ControlPlane.Layers;

namespace Gateway.ControlPlane.Store;

/// <summary>One line of the history: an apply that was tried, and how it ended.</summary>
public sealed record HistoryRecord
{
    /// <summary>Rises by one with each record, across restarts.</summary>
    public long Sequence { get; init; }

    public DateTimeOffset Time { get; init; }

    /// <summary>Version of the configuration; null when the document could not be read.</summary>
    public string? Version { get; init; }

    /// <summary>Lower-case hex SHA-256 of the document's exact bytes: its name in the store. Null when it was not kept, because it was not applied.</summary>
    public string? Digest { get; init; }

    /// <summary><c>json</c> or <c>yaml</c>: how the bytes are to be read.</summary>
    public string Format { get; init; } = "json";

    /// <summary><c>file</c>, <c>admin</c>, <c>bundle</c>, <c>rollback</c>, <c>fleet</c> or <c>last-good</c>.</summary>
    public required string Source { get; init; }

    /// <summary>Who asked: the token's name, the client certificate's subject, or the file.</summary>
    public string Actor { get; init; } = "";

    /// <summary><see cref="Applied"/> or <see cref="Rejected"/>.</summary>
    public required string Result { get; init; }

    public double DurationMs { get; init; }

    /// <summary>For a person: the first error, or what was gone back to.</summary>
    public string? Detail { get; init; }

    /// <summary>
    /// Digest of the configuration file's content as it was last seen when this was applied. At a restart the file wins over this record
    /// only if it has other content than that, so a rollback survives a restart and an edit of the file is never lost.
    /// </summary>
    public string? FileDigest { get; init; }

    /// <summary>For a rollback: the sequence of the record it went back to, so that a further rollback goes further back.</summary>
    public long? Target { get; init; }

    /// <summary>
    /// The highest sequence of a signed bundle that was applied up to this record; null when there was none. Every later record carries it
    /// on, so that it is as durable as the history itself and outlives the retention of old records.
    /// </summary>
    public long? BundleSequence { get; init; }

    /// <summary>Which change of the fleet this is; null outside a fleet, and for what the fleet was not told of.</summary>
    public long? FleetSequence { get; init; }

    /// <summary>
    /// The layers of other sources that it was merged of or that it covers, and its own; null when it is the document of <see cref="Source"/>
    /// alone. Their documents are kept as long as the record.
    /// </summary>
    public IReadOnlyList<SourceLayer>? Layers { get; init; }

    public const string Applied = "applied";
    public const string Rejected = "rejected";

    public bool IsApplied => Result == Applied;
}
