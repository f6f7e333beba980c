using System.Globalization;
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

    /// <param name="at">A version as <see cref="Find"/> takes it, or a time as <see cref="FindAt"/> does: a day, or a day and a time of day, in UTC unless it says otherwise.</param>
    /// <exception cref="IOException">The document is gone from the disk or damaged.</exception>
    public (byte[]? Content, string Version, DocumentFormat Format) FindEither(string at) => TryTime(at, out DateTimeOffset time) ? FindAt(time) : Find(at);

    public static bool TryTime(string text, out DateTimeOffset time) => DateTimeOffset.TryParse(text, CultureInfo.InvariantCulture, DateTimeStyles.AssumeUniversal, out time);

    /// <summary>What was live at that time; nothing when that is before the oldest record.</summary>
    /// <exception cref="IOException">The document is gone from the disk or damaged.</exception>
    public (byte[]? Content, string Version, DocumentFormat Format) FindAt(DateTimeOffset time) =>
        Read(RecordAt(time));

    /// <summary>The version that was live at that time; null when that is before the oldest record.</summary>
    public string? VersionAt(DateTimeOffset time) => RecordAt(time)?.Version;

    private HistoryRecord? RecordAt(DateTimeOffset time) => Array.FindLast(store.History(), record => record.IsApplied && record.Time <= time);

    private (byte[]? Content, string Version, DocumentFormat Format) Read(HistoryRecord? record) =>
        record is null ? (null, "", default) : (store.Read(record), record.Version!, record.Format == "yaml" ? DocumentFormat.Yaml : DocumentFormat.Json);
}
