using Gateway.ControlPlane.Store;

namespace Gateway.ControlPlane.Apply;

/// <summary>
/// The snapshots that were live last, compiled as they were, so that the usual rollback is a pointer swap. What they share with the live one
/// costs nothing; what was released since then makes the data plane compile them again. Secrets are as they were when it was live. Used by
/// the apply queue alone, one change at a time.
/// </summary>
internal sealed class KeptSnapshots
{
    /// <summary>The one before the live one, and the one before that: a rollback of a rollback.</summary>
    private const int Most = 2;

    // Newest first; the first is the live one.
    private readonly List<Candidate> _candidates = [];

    /// <summary>The candidate is live now.</summary>
    public void Published(Candidate candidate)
    {
        ConfigDocument document = candidate.Document;
        _ = _candidates.RemoveAll(c => c.Document.Digest == document.Digest && c.Document.Format == document.Format);
        // Without its bytes, which may lie in a rented buffer: they are in the store.
        _candidates.Insert(0, candidate with { Document = ConfigDocument.Stored(document.Digest, document.Format) });
        GCMemoryInfo memory = GC.GetGCMemoryInfo();
        int most = memory.MemoryLoadBytes < memory.HighMemoryLoadThresholdBytes ? 1 + Most : 1;
        if (_candidates.Count > most) _candidates.RemoveRange(most, _candidates.Count - most);
    }

    /// <summary>The record's configuration, to be published once more; null when it is not kept.</summary>
    public Candidate? Find(HistoryRecord record, string source) =>
        _candidates.Find(c => c.Document.Digest == record.Digest && c.Document.FormatName == record.Format && c.Version == record.Version) is { } kept
            ? kept with { Snapshot = kept.Snapshot!.Again(source) }
            : null;
}
