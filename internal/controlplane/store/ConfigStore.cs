using System.Globalization;
using System.Security.Cryptography;

namespace Gateway.ControlPlane.Store;

/// <summary>
/// What was applied, and when, on disk: the documents by the digest of their bytes (<c>configs/DIGEST.json|yaml</c>), the journal
/// (<c>history.log</c>) and a pointer to the last good document (<c>last-good</c>). Survives the death of the process at any instant: a
/// document is whole on the disk before it is published, its record follows the publish, the pointer follows the record. So the history
/// never names what was not live or cannot be read; an apply that was published but not yet recorded when the process died had not been
/// answered either. Thread safe. One process per folder, by a lock that dies with it.
/// </summary>
public sealed class ConfigStore : IDisposable
{
    private readonly Lock _gate = new();
    private readonly DurableFiles _files;
    private readonly string _documents;
    private readonly string _pointer;
    private readonly Journal _journal;
    private readonly FileStream _lock;
    private readonly List<string> _notes = [];

    // Oldest first. Every applied record's document exists.
    private readonly List<HistoryRecord> _records;
    private long _lastSequence;

    /// <exception cref="IOException">The folder cannot be used; the message says why, for a person.</exception>
    public static ConfigStore Open(string folder) => Open(folder, DurableFiles.OfProcess());

    internal static ConfigStore Open(string folder, DurableFiles files)
    {
        folder = Path.GetFullPath(folder);
        try
        {
            _ = CreateFolder(folder);
            _ = CreateFolder(Path.Combine(folder, "configs"));
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw new IOException($"the data folder '{folder}' cannot be written to: {e.Message.TrimEnd('.')}. Give the process write access, or choose another folder with --data-dir.", e);
        }
        FileStream? held = null;
        try
        {
            held = Acquire(folder);
            return new ConfigStore(folder, files, held);
        }
        catch (UnauthorizedAccessException e)
        {
            held?.Dispose();
            throw new IOException($"the data folder '{folder}' cannot be written to: {e.Message.TrimEnd('.')}. Give the process write access, or choose another folder with --data-dir.", e);
        }
        catch
        {
            held?.Dispose();
            throw;
        }
    }

    private ConfigStore(string folder, DurableFiles files, FileStream held)
    {
        Folder = folder;
        _files = files;
        _lock = held;
        _documents = Path.Combine(folder, "configs");
        _pointer = Path.Combine(folder, "last-good");
        _journal = new Journal(Path.Combine(folder, "history.log"), files);
        foreach (string leftover in Directory.EnumerateFiles(folder, "*.tmp").Concat(Directory.EnumerateFiles(_documents, "*.tmp")).ToArray())
            files.Delete(leftover);
        _records = _journal.Open(_notes);
        _lastSequence = _records.Count == 0 ? 0 : _records.Max(static r => r.Sequence);
        AddPointer();
        int missing = _records.RemoveAll(r => r.IsApplied && !File.Exists(DocumentPath(r.Digest!, r.Format)));
        // Retention deletes documents before it rewrites the journal, so the oldest ones missing is how a kill can leave it.
        if (missing > 0 && LastApplied is null) _notes.Add($"history: {missing} record(s) whose documents are gone were left out");
        DeleteUnreferenced();
    }

    public string Folder { get; }

    /// <summary>What was found damaged and mended when the store was opened, for the log.</summary>
    public IReadOnlyList<string> Notes => _notes;

    /// <summary>The newest record of something that was live.</summary>
    public HistoryRecord? LastApplied
    {
        get
        {
            lock (_gate) return _records.FindLast(static r => r.IsApplied);
        }
    }

    /// <summary>The highest sequence of a signed bundle that was ever applied here; 0 for none.</summary>
    public long BundleSequence
    {
        get
        {
            lock (_gate) return BundleSequence_NeedsLock;
        }
    }

    /// <summary>All records kept, oldest first.</summary>
    public HistoryRecord[] History()
    {
        lock (_gate) return [.. _records];
    }

    public static string DigestOf(ReadOnlySpan<byte> content) => Convert.ToHexStringLower(SHA256.HashData(content));

    /// <summary>Puts the document on the disk, before it is published; also in place of one that is there and damaged.</summary>
    public void Save(string digest, string format, ReadOnlySpan<byte> content)
    {
        lock (_gate)
        {
            string path = DocumentPath(digest, format);
            if (!IsWhole(path, content)) _files.Replace(path, content);
        }
    }

    private static bool IsWhole(string path, ReadOnlySpan<byte> content)
    {
        try
        {
            return File.Exists(path) && new FileInfo(path).Length == content.Length && content.SequenceEqual(File.ReadAllBytes(path));
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            // A bad sector, or taken from us: what can be written is tried.
            return false;
        }
    }

    /// <summary>Removes a document that was saved and did not become live, unless a record names it all the same.</summary>
    public void Discard(string digest, string format)
    {
        lock (_gate)
        {
            string path = DocumentPath(digest, format);
            if (!_records.Exists(r => r.IsApplied && ((r.Digest == digest && r.Format == format) || r.Layers?.Any(l => l.Digest == digest && l.Format == format) == true)) && File.Exists(path)) _files.Delete(path);
        }
    }

    /// <summary>The exact bytes of an applied document.</summary>
    /// <exception cref="IOException">It is gone, or is not what was stored.</exception>
    public byte[] Read(HistoryRecord record)
    {
        string path = DocumentPath(record.Digest ?? throw new ArgumentException("a rejected document is not stored", nameof(record)), record.Format);
        byte[] content = File.ReadAllBytes(path);
        return DigestOf(content) == record.Digest ? content : throw new IOException($"the stored document '{path}' is damaged: its digest differs");
    }

    /// <summary>
    /// Appends the record, with the next sequence, and makes it the last good one if it was applied; then forgets what is beyond
    /// <paramref name="keep"/> applied configurations.
    /// </summary>
    public HistoryRecord Append(HistoryRecord record, int keep)
    {
        lock (_gate)
        {
            // Counted even if the append fails: the line may be in the file all the same, and no sequence is given twice.
            long bundle = Math.Max(record.BundleSequence ?? 0, BundleSequence_NeedsLock);
            record = record with { Sequence = ++_lastSequence, BundleSequence = bundle == 0 ? null : bundle };
            _journal.Append(record);
            _records.Add(record);
            if (record.IsApplied) _files.Replace(_pointer, JournalLine.Write(record));
            Retain(keep);
            return record;
        }
    }

    public void Dispose() => _lock.Dispose();

    // The newest record has the highest: each takes on what the ones before it had.
    private long BundleSequence_NeedsLock => _records.Count == 0 ? 0 : _records.Max(static r => r.BundleSequence ?? 0);

    private string DocumentPath(string digest, string format) => Path.Combine(_documents, $"{digest}.{format}");

    // The pointer repeats the newest applied record: a second witness when the journal was damaged or removed.
    private void AddPointer()
    {
        if (!File.Exists(_pointer)) return;
        HistoryRecord? record = JournalLine.Read(File.ReadAllBytes(_pointer).AsMemory().TrimEnd((byte)'\n'));
        if (record is null)
        {
            _notes.Add("last-good: damaged, left out");
            return;
        }
        if (_records.Exists(r => r.Sequence >= record.Sequence)) return;
        _journal.Append(record);
        _records.Add(record);
        _lastSequence = record.Sequence;
        _notes.Add($"history: record {record.Sequence.ToString(CultureInfo.InvariantCulture)} was missing from the journal and is taken from last-good");
    }

    private void Retain(int keep)
    {
        int applied = _records.Count(static r => r.IsApplied);
        int rejected = _records.Count - applied;
        // The newest applied record is the live one; keep is at least 1, so it stays.
        int removed = _records.RemoveAll(r => r.IsApplied ? applied-- > Math.Max(keep, 1) : rejected-- > Math.Max(keep, 1));
        if (removed == 0) return;
        DeleteUnreferenced();
        // Rewriting at each apply would double the writes; lines whose documents are gone are left out at the next start anyway.
        if (_journal.Lines >= 2 * _records.Count + 16) _journal.Compact(_records);
    }

    private void DeleteUnreferenced()
    {
        HashSet<string> referenced = [.. _records.Where(static r => r.IsApplied).SelectMany(r => (r.Layers ?? []).Select(l => DocumentPath(l.Digest, l.Format)).Append(DocumentPath(r.Digest!, r.Format)))];
        foreach (string path in Directory.EnumerateFiles(_documents).ToArray())
        {
            if (!referenced.Contains(path)) _files.Delete(path);
        }
    }

    private static FileStream Acquire(string folder)
    {
        string path = Path.Combine(folder, "lock");
        try
        {
            return new FileStream(path, FileMode.OpenOrCreate, FileAccess.ReadWrite, FileShare.None);
        }
        catch (IOException e) when (File.Exists(path))
        {
            throw new IOException($"the data folder '{folder}' is in use by another gateway (its lock file is held). Stop it, or choose another folder with --data-dir.", e);
        }
    }

    private static DirectoryInfo CreateFolder(string path) =>
        OperatingSystem.IsWindows()
            ? Directory.CreateDirectory(path)
            : Directory.CreateDirectory(path, UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute);
}
