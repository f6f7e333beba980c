namespace Gateway.ControlPlane.Provider;

/// <summary>
/// Which folders must be watched to hear of every way in which the content behind a path can change: the folder of the file, and of every
/// symbolic link on the way to it. A Kubernetes ConfigMap is such a chain: <c>gateway.json</c> links to <c>..data/gateway.json</c>, and
/// <c>..data</c> to a dated folder that is swapped as a whole.
/// </summary>
internal static class WatchedPath
{
    // Linux refuses longer chains too (path_resolution(7)).
    private const int MostLinks = 40;

    /// <summary>Folders, each with the names in it that matter. What does not exist ends the chain early.</summary>
    public static Dictionary<string, HashSet<string>> Folders(string path)
    {
        Dictionary<string, HashSet<string>> folders = new(StringComparer.Ordinal);
        Stack<string> rest = new();
        Push(rest, Path.GetFullPath(path));
        string at = "/";
        for (int links = 0; rest.TryPop(out string? name);)
        {
            string next = Path.Combine(at, name);
            string? target = LinkTarget(next);
            if (target is not null || rest.Count == 0) Add(folders, at, name);
            if (target is null)
            {
                at = next;
                continue;
            }
            if (++links > MostLinks) break;
            Push(rest, target);
            if (Path.IsPathRooted(target)) at = "/";
        }
        return folders;
    }

    private static void Push(Stack<string> rest, string path)
    {
        string[] names = path.Split('/', StringSplitOptions.RemoveEmptyEntries);
        for (int i = names.Length - 1; i >= 0; i--)
        {
            if (names[i] != ".") rest.Push(names[i]);
        }
    }

    private static void Add(Dictionary<string, HashSet<string>> folders, string folder, string name)
    {
        if (!folders.TryGetValue(folder, out HashSet<string>? names)) folders.Add(folder, names = new HashSet<string>(StringComparer.Ordinal));
        _ = names.Add(name);
    }

    private static string? LinkTarget(string path)
    {
        try
        {
            return new FileInfo(path).LinkTarget;
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            return null;
        }
    }
}
