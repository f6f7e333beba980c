using System.Globalization;
using System.Runtime.InteropServices;
using Gateway.Bundle;

namespace Gateway.Ctl.Distributor;

/// <summary>Puts a bundle into a distributor's folder, whole or not at all.</summary>
internal static class BundlePublishing
{
    private const int ShortVersion = 12;

    /// <summary>Under the name <c>SEQUENCE-VERSION.bundle</c>: temporary file, sync, rename, sync of the folder.</summary>
    /// <returns>The file's name.</returns>
    /// <exception cref="UserException">It is no bundle that could become the latest, or cannot be written.</exception>
    public static string Publish(string folder, byte[] bundle)
    {
        if (BundleFile.Inspect(bundle, out BundleRefusal? refusal) is not { Manifest: var manifest }) throw new UserException($"{refusal!.Code}: {refusal.Message}");
        string name = $"{manifest.Sequence.ToString(CultureInfo.InvariantCulture)}-{manifest.ConfigSha256[..ShortVersion]}.bundle";
        if (!Directory.Exists(folder)) throw new UserException($"{folder} is no folder");
        var there = new BundleFolder(folder, null, TimeProvider.System, static _ => { });
        there.Look();
        PublishedBundle? latest = there.Current.Latest;
        if (latest is not null && latest.Digest == BundleFile.DigestOf(bundle)) return latest.File;
        if (latest?.Sequence >= manifest.Sequence) throw new UserException($"the bundle has sequence {manifest.Sequence}, and {latest.File} in {folder} has {latest.Sequence}: no gateway would take it. Sign it with a higher --sequence.");
        try
        {
            Write(folder, name, bundle);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw new UserException($"cannot write {Path.Combine(folder, name)}: {e.Message}");
        }
        return name;
    }

    private static void Write(string folder, string name, byte[] content)
    {
        // A leading dot keeps it out of every listing until it is whole.
        string temporary = Path.Combine(folder, $".{name}.{Environment.ProcessId}.tmp");
        try
        {
            using (var file = new FileStream(temporary, FileMode.Create, FileAccess.Write))
            {
                file.Write(content);
                file.Flush(flushToDisk: true);
            }
            File.Move(temporary, Path.Combine(folder, name), overwrite: true);
        }
        catch
        {
            File.Delete(temporary);
            throw;
        }
        SyncFolder(folder);
    }

    // .NET opens no folders, so the C library does. What cannot be synced (some network file systems) is as durable as it gets.
    private static void SyncFolder(string folder)
    {
        if (OperatingSystem.IsWindows() || open(folder, 0) is var descriptor && descriptor < 0) return;
        _ = fsync(descriptor);
        _ = close(descriptor);
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
