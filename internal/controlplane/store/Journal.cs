namespace Gateway.ControlPlane.Store;

/// <summary>
/// The append-only <c>history.log</c>. Not thread safe: the store serializes. A line that was being written when the process died is cut
/// off at the next start; a damaged line in the middle is left out and told of.
/// </summary>
internal sealed class Journal(string path, DurableFiles files)
{
    private bool _uncertainTail;

    /// <summary>Lines in the file now.</summary>
    public int Lines { get; private set; }

    public List<HistoryRecord> Open(List<string> notes)
    {
        List<HistoryRecord> records = [];
        byte[] content = File.Exists(path) ? File.ReadAllBytes(path) : [];
        int start = 0;
        int damaged = 0;
        for (int end; (end = content.AsSpan(start).IndexOf((byte)'\n')) >= 0; start += end + 1)
        {
            Lines++;
            if (JournalLine.Read(content.AsMemory(start, end)) is { } record) records.Add(record);
            else damaged++;
        }
        if (damaged > 0) notes.Add($"history: {damaged} damaged line(s) left out");
        if (start < content.Length)
        {
            notes.Add($"history: a torn record of {content.Length - start} bytes at the end was cut off; the process had died while writing it");
            files.Truncate(path, start);
        }
        return records;
    }

    public void Append(HistoryRecord record)
    {
        if (_uncertainTail) CutTornTail();
        // Set before the write: when that fails half-way (a full disk), the next append must not continue a torn line.
        _uncertainTail = true;
        files.AppendDurably(path, JournalLine.Write(record));
        _uncertainTail = false;
        Lines++;
    }

    /// <summary>Rewrites the file with these records alone.</summary>
    public void Compact(IReadOnlyCollection<HistoryRecord> records)
    {
        using MemoryStream content = new();
        foreach (HistoryRecord record in records) content.Write(JournalLine.Write(record));
        files.Replace(path, content.GetBuffer().AsSpan(0, (int)content.Length));
        Lines = records.Count;
    }

    private void CutTornTail()
    {
        byte[] content = File.Exists(path) ? File.ReadAllBytes(path) : [];
        int whole = content.AsSpan().LastIndexOf((byte)'\n') + 1;
        if (whole < content.Length) files.Truncate(path, whole);
    }
}
