using Gateway.ControlPlane.Store;

namespace Gateway.ControlPlane.Apply;

/// <summary>Chooses what a rollback goes back to.</summary>
internal static class RollbackTarget
{
    /// <summary>A version may be shortened to this many digits if it stays unique.</summary>
    public const int ShortestPrefix = 8;

    /// <summary>
    /// The newest applied record of <paramref name="version"/> (whole, or a unique beginning of it). Without a version the one before the
    /// live one; where the live one is itself a rollback, the one before that rollback's target, so that a second rollback goes further
    /// back and never returns to what the first one left.
    /// </summary>
    /// <param name="history">Oldest first.</param>
    public static HistoryRecord? Find(IReadOnlyList<HistoryRecord> history, string? version, string? liveVersion, long liveSequence) =>
        version is null ? Previous(history, liveVersion, liveSequence) : Named(history, version);

    private static HistoryRecord? Named(IReadOnlyList<HistoryRecord> history, string version)
    {
        HistoryRecord? found = null;
        for (int i = history.Count - 1; i >= 0; i--)
        {
            HistoryRecord record = history[i];
            if (!record.IsApplied || record.Version is null) continue;
            if (record.Version == version) return record;
            if (version.Length < ShortestPrefix || !record.Version.StartsWith(version, StringComparison.Ordinal)) continue;
            if (found is not null && found.Version != record.Version) return null;
            found ??= record;
        }
        return found;
    }

    private static HistoryRecord? Previous(IReadOnlyList<HistoryRecord> history, string? liveVersion, long liveSequence)
    {
        long before = liveSequence == 0 ? long.MaxValue : liveSequence;
        while (history.FirstOrDefault(r => r.Sequence == before)?.Target is { } target && target < before) before = target;
        for (int i = history.Count - 1; i >= 0; i--)
        {
            HistoryRecord record = history[i];
            if (record.IsApplied && record.Sequence < before && record.Version != liveVersion) return record;
        }
        return null;
    }
}
