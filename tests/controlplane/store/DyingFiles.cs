using Gateway.ControlPlane.Store;

namespace Gateway.ControlPlane.Tests.Store;

/// <summary>The process died, or the disk was full.</summary>
internal sealed class DiedException() : IOException("died");

/// <summary>Waits for no disk: the death of a process loses nothing that it wrote, and the order of the operations stays the same.</summary>
internal class UnsyncedFiles : DurableFiles
{
    public override void Sync(string path)
    {
    }

    public override void SyncFolder(string folder)
    {
    }
}

/// <summary>How the last thing written looks to the next process.</summary>
public enum LastWrite
{
    /// <summary>Nothing of it arrived.</summary>
    Nothing,

    /// <summary>The first half arrived.</summary>
    Half,

    /// <summary>All of it arrived, but nobody was told.</summary>
    All,

    /// <summary>The machine died too: what was appended and not synced is gone.</summary>
    Unsynced,
}

/// <summary>Does <paramref name="steps"/> file operations and then no more, or (with <paramref name="once"/>) fails one and goes on.</summary>
internal sealed class DyingFiles(int steps, LastWrite lastWrite, bool once = false) : UnsyncedFiles
{
    private readonly Dictionary<string, long> _synced = [];
    private int _done;

    public int Done => _done;

    public override void Write(string path, ReadOnlySpan<byte> content)
    {
        if (Dies()) WriteLast(content, part => base.Write(path, part));
        else base.Write(path, content);
    }

    public override void Append(string path, ReadOnlySpan<byte> content)
    {
        _ = _synced.TryAdd(path, File.Exists(path) ? new FileInfo(path).Length : 0);
        if (Dies()) WriteLast(content, part => base.Append(path, part));
        else base.Append(path, content);
    }

    public override void Sync(string path)
    {
        if (Dies()) Die();
        base.Sync(path);
        _ = _synced.Remove(path);
    }

    public override void Rename(string from, string to)
    {
        if (Dies())
        {
            if (lastWrite == LastWrite.All) base.Rename(from, to);
            Die();
        }
        base.Rename(from, to);
    }

    public override void Truncate(string path, long length)
    {
        if (Dies()) Die();
        base.Truncate(path, length);
    }

    public override void Delete(string path)
    {
        if (Dies())
        {
            if (lastWrite == LastWrite.All) base.Delete(path);
            Die();
        }
        base.Delete(path);
    }

    public override void SyncFolder(string folder)
    {
        if (Dies()) Die();
        base.SyncFolder(folder);
    }

    private bool Dies()
    {
        int at = _done++;
        return once ? at == steps : at >= steps;
    }

    private delegate void Part(ReadOnlySpan<byte> content);

    private void WriteLast(ReadOnlySpan<byte> content, Part write)
    {
        // Only the operation at which it dies does anything; those after it come from a process that is dead already.
        if (_done - 1 == steps)
        {
            if (lastWrite == LastWrite.Half) write(content[..(content.Length / 2)]);
            if (lastWrite is LastWrite.All or LastWrite.Unsynced) write(content);
        }
        Die();
    }

    private void Die()
    {
        if (lastWrite == LastWrite.Unsynced && !once && _done - 1 == steps)
        {
            foreach ((string path, long length) in _synced)
            {
                if (File.Exists(path)) base.Truncate(path, length);
            }
        }
        throw new DiedException();
    }
}
