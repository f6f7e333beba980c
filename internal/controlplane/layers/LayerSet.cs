using Gateway.Config;

namespace Gateway.ControlPlane.Layers;

/// <summary>
/// What the sources brought, one layer each. A layer that replaces is the whole configuration but for what is laid over it; those below it
/// are kept, covered, to come to light again when it is removed. Immutable.
/// </summary>
public sealed class LayerSet
{
    public static readonly LayerSet Empty = new([]);

    private LayerSet(IReadOnlyList<SourceLayer> layers) => All = layers;

    /// <summary>The lowest priority first.</summary>
    public IReadOnlyList<SourceLayer> All { get; }

    /// <summary>Those that the live configuration is made of: from the highest that replaces upwards.</summary>
    public IReadOnlyList<SourceLayer> Effective
    {
        get
        {
            int first = All.Count - 1;
            while (first > 0 && All[first].Merge == MergeMode.ByName) first--;
            return [.. All.Skip(Math.Max(first, 0))];
        }
    }

    /// <summary>The layers of a record or of a start, in any order.</summary>
    public static LayerSet Of(IEnumerable<SourceLayer> layers) =>
        new([.. layers.GroupBy(static l => l.Source).Select(static g => g.Last()).OrderBy(static l => l.Priority).ThenBy(static l => l.Source, StringComparer.Ordinal)]);

    public SourceLayer? Find(string source) => All.FirstOrDefault(l => l.Source == source);

    /// <summary>
    /// The layer in the place of its source's earlier one. One that replaces is the last writer: what replaced from above goes, as it always
    /// did between plain documents; what was laid over by name stays.
    /// </summary>
    public LayerSet With(SourceLayer layer) => Of(
        All.Where(l => l.Source != layer.Source && !(layer.Merge == MergeMode.Replace && l.Merge == MergeMode.Replace && l.Priority > layer.Priority)).Append(layer));

    /// <summary>The layer where it belongs, changing no other.</summary>
    public LayerSet Beside(SourceLayer layer) => Of(All.Append(layer));

    public LayerSet Without(string source) => new([.. All.Where(l => l.Source != source)]);

    /// <summary>For as long as it is live: what is in the store need not be held.</summary>
    internal LayerSet Kept(bool stored) => stored ? new([.. All.Select(static l => l with { Content = null })]) : this;

    public bool IsSameAs(LayerSet other) => All.Count == other.All.Count && All.Zip(other.All).All(static p => p.First.IsSameAs(p.Second));
}
