using Gateway.Config;
using Gateway.ControlPlane.Layers;
using Gateway.ControlPlane.Store;

namespace Gateway.ControlPlane.Apply;

public sealed partial class ApplyQueue
{
    // Between what a source brings and what becomes live: the merge with what the other sources brought.
    private LayerComposer? _composer;

    private LayerComposer Composer => _composer ??= new LayerComposer(_store);

    private LayerSet LiveLayers => Live?.Layers ?? LayerSet.Empty;

    /// <summary>Takes a source's layer away; what is left of the others becomes live, as by an apply.</summary>
    public Task<ApplyResult> RemoveLayerAsync(ChangeOrigin origin, IReadOnlyList<string>? ifMatch, CancellationToken cancellationToken) =>
        ChangeAsync(new ApplyRequest(new ConfigDocument(default, DocumentFormat.Json), origin) { IfMatch = ifMatch }, RemoveLayerOneAsync, cancellationToken);

    /// <summary>The bytes of a source's layer; null when it has none.</summary>
    /// <exception cref="IOException">They are gone from the disk, or damaged.</exception>
    internal ConfigDocument? ReadLayer(string source) =>
        LiveLayers.Find(source) is { } layer ? new ConfigDocument(Composer.Read(layer), LayerComposer.FormatOf(layer)) : null;

    private async Task<ApplyResult> RemoveLayerOneAsync(ApplyRequest request)
    {
        long start = _time.GetTimestamp();
        ChangeOrigin origin = request.Origin;
        LayerSet rest = LiveLayers.Without(origin.Source);
        if (rest.All.Count == LiveLayers.All.Count) return Refused("no_layer", $"nothing of what is live was brought by {origin.Source}; GET /admin/snapshot lists the layers");
        if (rest.All.Count == 0) return Refused("last_layer", "nothing would be left to serve: no other source brought a configuration. Apply another one, or go back with POST /admin/rollback.");
        if (Composer.Compose(rest, out IReadOnlyList<ConfigError> errors) is not { } document) return Rejected(new Candidate(request.Document) { Errors = errors }, request, start);
        return await ApplyOneAsync(request with { Document = document.AsWhole() });

        ApplyResult Refused(string code, string message) =>
            Ended(ApplyOutcome.UnknownVersion, new Candidate(request.Document) { Errors = [new ConfigError("", code, message)] }, "remove", origin, start);
    }

    /// <summary>The document, merged with the layers of other sources where it or they ask for that.</summary>
    private ConfigDocument Layered(ConfigDocument document, ChangeOrigin origin, out IReadOnlyList<ConfigError> errors)
    {
        errors = [];
        // Another replica's change is every replica's as it is: it was merged where it came in.
        return document.IsWhole || origin.Source == FleetSource ? document : Composer.Add(document, origin, LiveLayers, _time.GetUtcNow(), out errors);
    }

    /// <summary>Reads a candidate as it would be live if the admin API brought it.</summary>
    private Candidate ReadLayered(ConfigDocument document)
    {
        ConfigDocument whole = Layered(document, new ChangeOrigin("admin", "token", ""), out IReadOnlyList<ConfigError> errors);
        return errors.Count == 0 ? _steps.Read(whole) : new Candidate(document) { Errors = errors };
    }

    /// <summary>The same is live, but of other layers: that is to be kept too.</summary>
    private bool IsOfOtherLayers(ConfigDocument document) =>
        document.Layers is { } layers && layers.All.Any(static l => l.Merge == MergeMode.ByName) && !layers.IsSameAs(LiveLayers);

    /// <summary>What a document that becomes live is made of.</summary>
    private static LayerSet LayersOf(ConfigDocument document, ChangeOrigin origin, DateTimeOffset at) =>
        document.Layers ?? (SourceLayer.PriorityOf(origin.Source) is null ? LayerSet.Empty : LayerSet.Of([SourceLayer.Of(document, origin, at, MergeMode.Replace)]));

    /// <summary>As the history keeps them; null when the record itself says as much.</summary>
    private static IReadOnlyList<SourceLayer>? Recorded(LayerSet layers, ConfigDocument document, ChangeOrigin origin) =>
        layers.All.Count == 0 || (layers.All is [var only] && only.Source == origin.Source && only.Digest == document.Digest && only.Merge == MergeMode.Replace) ? null : layers.All;

    /// <summary>What the record's configuration was made of.</summary>
    private static LayerSet LayersOf(HistoryRecord record) =>
        record.Layers is { } layers ? LayerSet.Of(layers)
        : LayerSet.Of([new SourceLayer(SourceLayer.PriorityOf(record.Source) is null ? "admin" : record.Source, record.Actor, record.Time, record.Digest!, record.Format, MergeMode.Replace)]);

    /// <summary>What was live before the restart was merged with this very file; that the file is broken must be told all the same.</summary>
    private static bool IsUnchangedMerge(ConfigDocument file, HistoryRecord last) =>
        last.FileDigest == file.Digest && last.Layers is { } layers && layers.Any(static l => l.Merge == MergeMode.ByName) && LayerComposer.IsInForm(file);

    /// <summary>At a start: the file as it is now, and over it by name what other sources had brought; or the file alone.</summary>
    private ConfigDocument Restarted(ConfigDocument file, HistoryRecord? last, ChangeOrigin origin, out IReadOnlyList<ConfigError> errors)
    {
        errors = [];
        SourceLayer layer = SourceLayer.Of(file, origin, _time.GetUtcNow(), LayerComposer.ModeOf(file));
        SourceLayer[] others = last?.Layers is null ? [] : [.. LayersOf(last).All.Where(l => l.Source != "file" && (l.Merge == MergeMode.ByName || layer.Merge == MergeMode.ByName))];
        LayerSet layers = LayerSet.Of(others.Append(layer with { Content = file.Content.ToArray() }));
        return others.Length == 0 ? file.With(LayerSet.Of([layer])) : Composer.Compose(layers, out errors) ?? file;
    }
}
