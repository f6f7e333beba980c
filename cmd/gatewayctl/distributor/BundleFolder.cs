using Gateway.Bundle;

namespace Gateway.Ctl.Distributor;

/// <summary>
/// The bundles of a folder: its files <c>*.bundle</c> and <c>*.json</c> that are whole bundles. A file that is not (yet) one is left out, and
/// what it was before goes on being served; a file that is gone is served for a moment longer, since checkouts and copies remove a file before
/// they write it anew. One caller of <see cref="Look"/> at a time; <see cref="Current"/> may be read by any thread.
/// </summary>
/// <param name="verifier">Leaves out what the keys do not verify; null for no such check. Expiry is for the gateways to judge.</param>
/// <param name="log">A line for people.</param>
internal sealed class BundleFolder(string folder, BundleVerifier? verifier, TimeProvider time, Action<string> log)
{
    /// <summary>Bundles are held in memory, so that a file that is overwritten can still be served: the newest, up to this size together.</summary>
    public const long MostBytes = 256 << 20;

    /// <summary>Files are looked at, of more than that none.</summary>
    private const int MostFiles = 10_000;

    /// <summary>A file changed so recently may change again within the same tick of the file system's clock, and is read again however it looks.</summary>
    private static readonly TimeSpan Settling = TimeSpan.FromSeconds(2);

    private readonly Dictionary<string, Entry> _entries = new(StringComparer.Ordinal);
    private BundleCatalog _current = new([]);
    private string? _trouble;

    private sealed class Entry
    {
        public (DateTime Written, long Length) Stamp { get; set; }
        public DateTimeOffset ReadAt { get; set; }
        public string Digest { get; set; } = "";
        public PublishedBundle? Bundle { get; set; }
        public string? Problem { get; set; }
        public bool IsTold { get; set; }
        public DateTimeOffset? GoneSince { get; set; }
    }

    public BundleCatalog Current => Volatile.Read(ref _current);

    /// <summary>Reads what has changed, and replaces <see cref="Current"/> if that makes a difference.</summary>
    public void Look()
    {
        FileInfo[] files;
        try
        {
            files = [.. new DirectoryInfo(folder).EnumerateFiles().Where(static f => f.Name[0] != '.' && f.Extension is ".bundle" or ".json").Take(MostFiles + 1)];
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            Trouble($"cannot read {folder}: {e.Message}; what was served before goes on being served");
            return;
        }
        Trouble(files.Length > MostFiles ? $"{folder} has more than {MostFiles} files; the rest is left out" : null);
        DateTimeOffset now = time.GetUtcNow();
        foreach (FileInfo file in files.Take(MostFiles)) LookAt(file, now);
        Forget([.. files.Select(static f => f.Name)], now);
        PublishedBundle[] bundles = Fitting([.. _entries.Values.Select(static e => e.Bundle).OfType<PublishedBundle>().OrderByDescending(static b => b.Sequence)]);
        if (bundles.Select(static b => b.Digest).ToHashSet().SetEquals(Current.NewestFirst.Select(static b => b.Digest))) return;
        var next = new BundleCatalog(bundles);
        BundleCatalog last = Current;
        Volatile.Write(ref _current, next);
        last.Replace();
        if (next.Latest is null) log("nothing is served any more");
        else if (next.Latest.Digest != last.Latest?.Digest) log($"latest is bundle {next.Latest.Sequence} of {next.Latest.Version}, from {next.Latest.File}");
        if (next.NewestFirst is [var first, var second, ..] && first.Sequence == second.Sequence) log($"{first.File} and {second.File} both have sequence {first.Sequence}; gateways take only one of them");
    }

    private void LookAt(FileInfo file, DateTimeOffset now)
    {
        if (!_entries.TryGetValue(file.Name, out Entry? entry)) _entries.Add(file.Name, entry = new Entry());
        entry.GoneSince = null;
        try
        {
            FileSystemInfo real = file.ResolveLinkTarget(returnFinalTarget: true) ?? file;
            (DateTime Written, long Length) stamp = (real.LastWriteTimeUtc, real is FileInfo { Exists: true } info ? info.Length : -1);
            bool isSettled = stamp == entry.Stamp && entry.ReadAt - stamp.Written > Settling;
            if (!isSettled)
            {
                entry.Stamp = stamp;
                entry.ReadAt = now;
                Read(entry, file);
            }
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            entry.Digest = "";
            Fail(entry, e.Message);
        }
        // What is still being written is not worth a line.
        if (entry is not { Problem: { } problem, IsTold: false } || now - entry.Stamp.Written <= Settling) return;
        entry.IsTold = true;
        log($"{file.Name} is left out: {problem}{(entry.Bundle is null ? "" : $"; bundle {entry.Bundle.Sequence}, which it was before, goes on being served")}");
    }

    private void Read(Entry entry, FileInfo file)
    {
        if (entry.Stamp.Length > BundleFile.MaxBytes)
        {
            entry.Digest = "";
            Fail(entry, $"it has {entry.Stamp.Length} bytes; a bundle has at most {BundleFile.MaxBytes}");
            return;
        }
        byte[] content = File.ReadAllBytes(file.FullName);
        string digest = BundleFile.DigestOf(content);
        if (digest == entry.Digest) return;
        entry.Digest = digest;
        BundleRefusal? refusal;
        BundleManifest? manifest;
        if (verifier is null) manifest = BundleFile.Inspect(content, out refusal)?.Manifest;
        else (manifest, _, refusal) = verifier.Verify(content, DateTimeOffset.MinValue);
        if (manifest is null)
        {
            Fail(entry, $"{refusal!.Code}: {refusal.Message}");
            return;
        }
        entry.Problem = null;
        entry.Bundle = new PublishedBundle(file.Name, content, manifest);
    }

    private static void Fail(Entry entry, string problem)
    {
        if (entry.Problem != problem) entry.IsTold = false;
        entry.Problem = problem;
    }

    private void Forget(HashSet<string> there, DateTimeOffset now)
    {
        foreach ((string name, Entry entry) in _entries.ToArray())
        {
            if (there.Contains(name)) continue;
            entry.GoneSince ??= now;
            if (now - entry.GoneSince >= Settling) _ = _entries.Remove(name);
        }
    }

    private PublishedBundle[] Fitting(PublishedBundle[] newestFirst)
    {
        long bytes = 0;
        PublishedBundle[] fitting = [.. newestFirst.DistinctBy(static b => b.Digest).TakeWhile(b => (bytes += b.Content.Length) <= MostBytes)];
        foreach (Entry entry in _entries.Values)
        {
            if (entry.Bundle is not { } bundle || fitting.Any(f => f.Digest == bundle.Digest)) continue;
            entry.Bundle = null;
            entry.IsTold = true;
            log($"{bundle.File} is left out: newer bundles have {MostBytes} bytes together, which is all that is held");
        }
        return fitting;
    }

    private void Trouble(string? text)
    {
        if (text is not null && text != _trouble) log(text);
        _trouble = text;
    }
}
