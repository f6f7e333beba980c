namespace Gateway.DataPlane.Obs;

/// <summary>Where lines go. Used by the log's own thread alone; errors are exceptions of I/O.</summary>
internal abstract class AccessLogOutput : IDisposable
{
    public abstract void Write(ReadOnlySpan<byte> lines);

    /// <summary>Called now and then, and when a reopening was asked for.</summary>
    public virtual void LookAfter(bool reopen)
    {
    }

    public virtual void Dispose()
    {
    }
}

internal sealed class StreamOutput(Stream stream) : AccessLogOutput
{
    public override void Write(ReadOnlySpan<byte> lines)
    {
        stream.Write(lines);
        stream.Flush();
    }
}

/// <summary>A file that is appended to. It is opened again when it was moved or removed, as logrotate and an operator's <c>mv</c> do.</summary>
internal sealed class FileOutput(string path) : AccessLogOutput
{
    private FileStream? _file;
    private string? _openedAs;

    public override void Write(ReadOnlySpan<byte> lines)
    {
        FileStream file = _file ?? Open();
        // Always behind what is there: "copytruncate" of logrotate makes the file shorter while it is open.
        long end = file.CanSeek ? file.Seek(0, SeekOrigin.End) : -1;
        try
        {
            file.Write(lines);
        }
        catch (IOException) when (end >= 0)
        {
            // A full disk takes the beginning of a batch. No line is to be left torn, for the next one to be glued to.
            file.SetLength(end);
            throw;
        }
    }

    public override void LookAfter(bool reopen)
    {
        if (_file is null) return;
        if (reopen || !File.Exists(path) || Name(_file) != _openedAs) Dispose();
    }

    public override void Dispose()
    {
        _file?.Dispose();
        _file = null;
    }

    private FileStream Open()
    {
        // No buffer here: lines come in batches. Others may read, move and remove it.
        FileStreamOptions options = new()
        {
            Mode = FileMode.OpenOrCreate,
            Access = FileAccess.Write,
            Share = FileShare.ReadWrite | FileShare.Delete,
            BufferSize = 0,
        };
        if (!OperatingSystem.IsWindows()) options.UnixCreateMode = UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.GroupRead;
        FileStream file = new(path, options);
        _openedAs = Name(file);
        return _file = file;
    }

    /// <summary>What the open file is called now. The name follows the file when it is moved, where the system tells (Linux).</summary>
    private static string? Name(FileStream file) =>
        OperatingSystem.IsLinux() ? File.ResolveLinkTarget($"/proc/self/fd/{file.SafeFileHandle.DangerousGetHandle()}", returnFinalTarget: false)?.FullName : null;
}
