using Microsoft.Extensions.Logging;

namespace Gateway.ControlPlane.Provider;

/// <summary>
/// Calls back when something happened at the folders of <see cref="WatchedPath"/> that concerns the file. Only a hint: events may be lost
/// or doubled, and the callback comes on any thread. Where the system has no watches to give (inotify's limit), it says so once and the
/// provider's poll has to do.
/// </summary>
internal sealed partial class FileWatch(string path, Action changed, ILogger logger) : IDisposable
{
    private readonly Lock _gate = new();
    private Dictionary<string, HashSet<string>> _folders = new(StringComparer.Ordinal);
    private readonly List<FileSystemWatcher> _watchers = [];
    private bool _disposed;

    /// <summary>Follows the links anew, and watches what they lead to now.</summary>
    public void Follow()
    {
        Dictionary<string, HashSet<string>> folders = WatchedPath.Folders(path);
        lock (_gate)
        {
            if (_disposed || IsSame(folders)) return;
            Close();
            _folders = folders;
            foreach ((string folder, HashSet<string> names) in folders)
            {
                if (Watch(folder, names) is { } watcher) _watchers.Add(watcher);
            }
        }
    }

    public void Dispose()
    {
        lock (_gate)
        {
            _disposed = true;
            Close();
        }
    }

    private FileSystemWatcher? Watch(string folder, HashSet<string> names)
    {
        try
        {
            FileSystemWatcher watcher = new(folder)
            {
                NotifyFilter = NotifyFilters.FileName | NotifyFilters.DirectoryName | NotifyFilters.LastWrite | NotifyFilters.Size | NotifyFilters.CreationTime,
            };
            void OnEvent(string? name)
            {
                if (name is not null && names.Contains(name)) changed();
            }
            watcher.Changed += (_, e) => OnEvent(e.Name);
            watcher.Created += (_, e) => OnEvent(e.Name);
            watcher.Deleted += (_, e) => OnEvent(e.Name);
            watcher.Renamed += (_, e) =>
            {
                OnEvent(e.OldName);
                OnEvent(e.Name);
            };
            // Events were lost: look.
            watcher.Error += (_, _) => changed();
            watcher.EnableRaisingEvents = true;
            return watcher;
        }
        catch (Exception e) when (e is IOException or ArgumentException or UnauthorizedAccessException)
        {
            LogNoWatch(logger, folder, e.Message);
            return null;
        }
    }

    private bool IsSame(Dictionary<string, HashSet<string>> folders) =>
        folders.Count == _folders.Count && folders.All(f => _folders.TryGetValue(f.Key, out HashSet<string>? names) && names.SetEquals(f.Value));

    private void Close()
    {
        foreach (FileSystemWatcher watcher in _watchers) watcher.Dispose();
        _watchers.Clear();
        _folders = new Dictionary<string, HashSet<string>>(StringComparer.Ordinal);
    }

    [LoggerMessage(1100, LogLevel.Warning, "cannot watch {Folder}, changes are found by looking every few seconds: {Detail}")]
    private static partial void LogNoWatch(ILogger logger, string folder, string detail);
}
