using Gateway.Config;
using Gateway.ControlPlane.Apply;

namespace Gateway.ControlPlane.Layers;

/// <summary>The document that a source brought last. Immutable.</summary>
/// <param name="Source"><c>file</c>, <c>fleet</c> (a whole that another replica brought), <c>admin</c> or <c>bundle</c>.</param>
/// <param name="Actor">Who brought it, or the file's path.</param>
/// <param name="Digest">Of its exact bytes, by which the store has it.</param>
/// <param name="Format"><c>json</c> or <c>yaml</c>.</param>
public sealed record SourceLayer(string Source, string Actor, DateTimeOffset At, string Digest, string Format, MergeMode Merge)
{
    /// <summary>Its bytes while they are not sure to be in the store; null for read it there.</summary>
    internal ReadOnlyMemory<byte>? Content { get; init; }

    /// <summary>A layer is laid over those of lower priority.</summary>
    public int Priority => PriorityOf(Source) ?? 0;

    /// <summary>For messages.</summary>
    public string Name => Source == "file" ? $"file {Actor}" : Source;

    /// <summary>Null for what is no source of layers, such as a rollback.</summary>
    public static int? PriorityOf(string source) => source switch
    {
        "file" => 50,
        // What another replica made of its layers: a whole, over which this one may lay more.
        "fleet" => 60,
        "kubernetes" => 75,
        "admin" => 100,
        "bundle" => 150,
        _ => null,
    };

    internal bool IsSameAs(SourceLayer other) => Source == other.Source && Digest == other.Digest && Format == other.Format;

    internal static SourceLayer Of(ConfigDocument document, ChangeOrigin origin, DateTimeOffset at, MergeMode merge) =>
        new(origin.Source, origin.Actor, at, document.Digest, document.FormatName, merge);
}
