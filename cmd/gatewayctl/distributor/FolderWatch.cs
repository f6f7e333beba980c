namespace Gateway.Ctl.Distributor;

/// <summary>Looks at the folder when the system says that it changed, and every few seconds in any case.</summary>
internal sealed class FolderWatch(string folder, BundleFolder bundles, TimeProvider time, Action<string> log)
{
    private static readonly TimeSpan PollInterval = TimeSpan.FromSeconds(2);

    /// <summary>Copies come in several writes.</summary>
    private static readonly TimeSpan Quiet = TimeSpan.FromMilliseconds(50);

    private readonly SemaphoreSlim _hint = new(0, 1);

    /// <summary>Runs until it is cancelled.</summary>
    public async Task RunAsync(CancellationToken cancellationToken)
    {
        using FileSystemWatcher? watcher = Watch();
        try
        {
            while (true)
            {
                if (await _hint.WaitAsync(PollInterval, cancellationToken)) await Task.Delay(Quiet, time, cancellationToken);
                bundles.Look();
            }
        }
        catch (OperationCanceledException)
        {
            // The end.
        }
    }

    private FileSystemWatcher? Watch()
    {
        try
        {
            var watcher = new FileSystemWatcher(folder) { NotifyFilter = NotifyFilters.FileName | NotifyFilters.LastWrite | NotifyFilters.Size };
            watcher.Changed += (_, _) => Hint();
            watcher.Created += (_, _) => Hint();
            watcher.Deleted += (_, _) => Hint();
            watcher.Renamed += (_, _) => Hint();
            watcher.Error += (_, _) => Hint();
            watcher.EnableRaisingEvents = true;
            return watcher;
        }
        catch (Exception e) when (e is IOException or ArgumentException or UnauthorizedAccessException)
        {
            log($"cannot watch {folder}, changes are found by looking every {PollInterval.TotalSeconds} s: {e.Message}");
            return null;
        }
    }

    private void Hint()
    {
        try
        {
            if (_hint.CurrentCount == 0) _ = _hint.Release();
        }
        catch (SemaphoreFullException)
        {
            // Another hint came at the same time; one is enough.
        }
    }
}
