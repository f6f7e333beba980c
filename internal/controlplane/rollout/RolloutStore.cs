using System.Globalization;
using Gateway.ControlPlane.Store;

namespace Gateway.ControlPlane.Rollout;

/// <summary>
/// The rollouts on disk, a file each (<c>rollouts/ID.json</c>), whole or not at all. One that was running when the process ended is found
/// ended: what is served after a start is the last good configuration, never a candidate. Thread safe.
/// </summary>
public sealed class RolloutStore
{
    public const string Restarted = "the gateway was restarted";

    private readonly Lock _gate = new();
    private readonly string _folder;
    private readonly DurableFiles _files;
    private readonly List<string> _notes = [];

    // Oldest first.
    private readonly List<RolloutRecord> _records = [];
    private long _lastId;

    /// <exception cref="IOException">The folder cannot be used.</exception>
    public static RolloutStore Open(ConfigStore store, TimeProvider time) => new(store, time, DurableFiles.OfProcess());

    internal RolloutStore(ConfigStore store, TimeProvider time, DurableFiles files)
    {
        _folder = Path.Combine(store.Folder, "rollouts");
        _files = files;
        _ = OperatingSystem.IsWindows()
            ? Directory.CreateDirectory(_folder)
            : Directory.CreateDirectory(_folder, UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute);
        foreach (string leftover in Directory.EnumerateFiles(_folder, "*.tmp").ToArray()) files.Delete(leftover);
        foreach (string path in Directory.EnumerateFiles(_folder, "*.json").ToArray())
        {
            RolloutRecord? record = RolloutJson.Read(File.ReadAllBytes(path));
            // A damaged one keeps its number.
            if (long.TryParse(Path.GetFileNameWithoutExtension(path), NumberStyles.None, CultureInfo.InvariantCulture, out long id)) _lastId = Math.Max(_lastId, id);
            if (record is not null && path == PathOf(record)) _records.Add(record);
            else _notes.Add($"rollouts: '{Path.GetFileName(path)}' is damaged, left out");
        }
        _records.Sort(static (a, b) => Number(a).CompareTo(Number(b)));
        foreach (RolloutRecord open in _records.Where(static r => !r.IsEnded).ToArray()) Close(Closed(open, store, time.GetUtcNow()));
    }

    /// <summary>What was found damaged when the store was opened, for the log.</summary>
    public IReadOnlyList<string> Notes => _notes;

    /// <summary>An id that no rollout has had.</summary>
    public string NextId()
    {
        lock (_gate) return (++_lastId).ToString(CultureInfo.InvariantCulture);
    }

    /// <summary>Newest first.</summary>
    public RolloutRecord[] All()
    {
        lock (_gate)
        {
            RolloutRecord[] all = [.. _records];
            Array.Reverse(all);
            return all;
        }
    }

    public RolloutRecord? Find(string id)
    {
        lock (_gate) return _records.Find(r => r.Id == id);
    }

    /// <summary>
    /// Whether the last rollout of a candidate was returned or refused, or taken back by someone: who brings candidates by itself must not bring it again.
    /// </summary>
    /// <param name="versionOrDigest">The configuration's version, or the digest of its bytes, which is what a bundle calls its version.</param>
    public bool IsFailed(string versionOrDigest) => LastOf(versionOrDigest) is { HasFailed: true };

    /// <summary>The last rollout of a candidate; null when none is kept.</summary>
    /// <inheritdoc cref="IsFailed"/>
    public RolloutRecord? LastOf(string versionOrDigest)
    {
        lock (_gate) return _records.FindLast(r => r.Version == versionOrDigest || r.Digest == versionOrDigest);
    }

    /// <summary>The last rollout of a bundle; null when none is kept.</summary>
    /// <param name="digest">Of its configuration's bytes.</param>
    /// <param name="sequence">The bundle's.</param>
    public RolloutRecord? LastOf(string digest, long sequence)
    {
        lock (_gate) return _records.FindLast(r => r.BundleSequence == sequence && (r.Version == digest || r.Digest == digest));
    }

    /// <summary>Puts the record on the disk in place of an older one of its id; then forgets the oldest ended ones beyond <paramref name="keep"/>.</summary>
    /// <exception cref="IOException">It could not be written: a new record is not taken, a newer state of a known one is kept in memory.</exception>
    public void Save(RolloutRecord record, int keep)
    {
        lock (_gate)
        {
            int at = _records.FindIndex(r => r.Id == record.Id);
            if (at >= 0) _records[at] = record;
            _files.Replace(PathOf(record), RolloutJson.Write(record));
            if (at < 0) _records.Add(record);
            int ended = _records.Count(static r => r.IsEnded);
            while (ended-- > Math.Max(keep, 1))
            {
                RolloutRecord oldest = _records.Find(static r => r.IsEnded)!;
                _files.Delete(PathOf(oldest));
                _records.Remove(oldest);
            }
        }
    }

    // A full disk keeps no gateway from starting; the next start closes it again.
    private void Close(RolloutRecord record)
    {
        try
        {
            Save(record, int.MaxValue);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            _notes.Add($"rollouts: that rollout {record.Id} has ended cannot be written: {e.Message}");
        }
    }

    // Published and in the history, but not yet told here: it was promoted.
    private static RolloutRecord Closed(RolloutRecord record, ConfigStore store, DateTimeOffset now) =>
        store.LastApplied is { } last && last.Version == record.Version && (last.Digest == record.Digest || last.Layers is not null) && last.Time >= record.StartedAt
            ? record with { State = RolloutState.Promoted, Stage = RolloutStages.Full, Percent = 100, EndedAt = last.Time }
            : record with { State = RolloutState.Aborted, Percent = 0, EndedAt = now, Reason = Restarted, Retry = true };

    private static long Number(RolloutRecord record) => long.Parse(record.Id, NumberStyles.None, CultureInfo.InvariantCulture);

    private string PathOf(RolloutRecord record) => Path.Combine(_folder, $"{record.Id}.json");
}
