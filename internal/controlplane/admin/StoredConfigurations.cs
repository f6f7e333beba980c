using Gateway.ControlPlane.Apply;
using Gateway.ControlPlane.Store;

namespace Gateway.ControlPlane.Admin;

/// <summary>The documents that can be looked at: the live one and those in the history.</summary>
internal sealed class StoredConfigurations(ApplyQueue queue, ConfigStore store)
{
    public HistoryRecord[] History() => store.History();

    /// <param name="version">Null for the live one; else whole, or a unique beginning of it.</param>
    /// <exception cref="IOException">The document is gone from the disk or damaged.</exception>
    public (byte[]? Content, string Version, DocumentFormat Format) Find(string? version)
    {
        LiveConfiguration? live = queue.Live;
        if (version is null || version == live?.Version) return live is null ? (null, "", default) : (queue.ReadLive(live), live.Version, live.Format);
        HistoryRecord? record = RollbackTarget.Find(store.History(), version, null, 0);
        return Read(record);
    }

    /// <summary>What was live at that time; nothing when that is before the oldest record.</summary>
    /// <exception cref="IOException">The document is gone from the disk or damaged.</exception>
    public (byte[]? Content, string Version, DocumentFormat Format) FindAt(DateTimeOffset time) =>
        Read(Array.FindLast(store.History(), record => record.IsApplied && record.Time <= time));

    private (byte[]? Content, string Version, DocumentFormat Format) Read(HistoryRecord? record) =>
        record is null ? (null, "", default) : (store.Read(record), record.Version!, record.Format == "yaml" ? DocumentFormat.Yaml : DocumentFormat.Json);
}
