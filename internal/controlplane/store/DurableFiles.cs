using System.Runtime.InteropServices;
using Microsoft.Win32.SafeHandles;

namespace Gateway.ControlPlane.Store;

/// <summary>
/// The file operations of the store. The virtual ones are the primitive steps: a test overrides them to let the process "die" between any
/// two, or in the middle of one, and then looks at what a new process finds.
/// </summary>
internal class DurableFiles
{
    /// <summary>Those of a process: with steps at which it dies where a test has asked for that.</summary>
    public static DurableFiles OfProcess() => FaultPoint.IsArmed ? new FaultingFiles() : new DurableFiles();

    private const UnixFileMode OwnerOnly = UnixFileMode.UserRead | UnixFileMode.UserWrite;

    /// <summary>Puts <paramref name="content"/> at <paramref name="path"/> whole or not at all: temporary file, sync, rename, sync of the folder.</summary>
    public void Replace(string path, ReadOnlySpan<byte> content)
    {
        string temporary = path + ".tmp";
        Write(temporary, content);
        Sync(temporary);
        Rename(temporary, path);
        SyncFolder(Path.GetDirectoryName(path)!);
    }

    /// <summary>Adds <paramref name="content"/> to the end of the file and waits until it is on the disk.</summary>
    public void AppendDurably(string path, ReadOnlySpan<byte> content)
    {
        Append(path, content);
        Sync(path);
    }

    public virtual void Write(string path, ReadOnlySpan<byte> content)
    {
        using SafeFileHandle file = Open(path, FileMode.Create);
        RandomAccess.Write(file, content, 0);
    }

    public virtual void Append(string path, ReadOnlySpan<byte> content)
    {
        using SafeFileHandle file = Open(path, FileMode.OpenOrCreate);
        RandomAccess.Write(file, content, RandomAccess.GetLength(file));
    }

    public virtual void Sync(string path)
    {
        using SafeFileHandle file = Open(path, FileMode.Open);
        RandomAccess.FlushToDisk(file);
    }

    public virtual void Rename(string from, string to) => File.Move(from, to, overwrite: true);

    public virtual void Truncate(string path, long length)
    {
        using SafeFileHandle file = Open(path, FileMode.Open);
        RandomAccess.SetLength(file, length);
        RandomAccess.FlushToDisk(file);
    }

    public virtual void Delete(string path) => File.Delete(path);

    /// <summary>Makes creations and renames in the folder durable. .NET opens no folders, so the C library does.</summary>
    public virtual void SyncFolder(string folder)
    {
        if (OperatingSystem.IsWindows()) return;
        int descriptor = open(folder, 0);
        if (descriptor < 0) throw new IOException($"cannot open the folder '{folder}' to sync it: {Marshal.GetLastPInvokeErrorMessage()}");
        try
        {
            // Some network and overlay file systems cannot sync a folder (EINVAL); there the rename is as durable as it gets.
            const int InvalidArgument = 22;
            if (fsync(descriptor) != 0 && Marshal.GetLastPInvokeError() != InvalidArgument)
                throw new IOException($"cannot sync the folder '{folder}': {Marshal.GetLastPInvokeErrorMessage()}");
        }
        finally
        {
            _ = close(descriptor);
        }
    }

    private static SafeFileHandle Open(string path, FileMode mode)
    {
        // File.OpenHandle takes no Unix mode; a configuration may name secrets, so a new file is the owner's alone.
        bool creates = mode != FileMode.Open && !OperatingSystem.IsWindows();
        FileStreamOptions options = new() { Mode = mode, Access = FileAccess.ReadWrite, Share = FileShare.ReadWrite | FileShare.Delete, BufferSize = 0 };
        if (!creates || OperatingSystem.IsWindows()) return File.OpenHandle(path, mode, FileAccess.ReadWrite, options.Share);
        options.UnixCreateMode = OwnerOnly;
        // The stream is not disposed: its handle is what the caller disposes.
        return new FileStream(path, options).SafeFileHandle;
    }

#pragma warning disable IDE1006, SYSLIB1054, CA2101 // names of the C library; three calls do not need a source generator
    [DllImport("libc", SetLastError = true)]
    private static extern int open([MarshalAs(UnmanagedType.LPUTF8Str)] string path, int flags);

    [DllImport("libc", SetLastError = true)]
    private static extern int fsync(int descriptor);

    [DllImport("libc", SetLastError = true)]
    private static extern int close(int descriptor);
#pragma warning restore IDE1006, SYSLIB1054, CA2101
}
