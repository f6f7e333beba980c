using System.Globalization;

namespace Gateway.DataPlane.Server;

/// <summary>
/// The client connections of the whole process, bounded by its file descriptors: at the end of those nothing works any more, neither
/// accepting (which the runtime then tries again and again) nor reaching an upstream. Thread safe.
/// </summary>
internal sealed class ConnectionBudget(int limit)
{
    /// <summary>For files, libraries, the log, the admin listener.</summary>
    private const int Reserved = 256;

    private int _open;

    public int Limit => limit;

    /// <summary>True must be followed by one <see cref="Return"/>.</summary>
    public bool TryTake()
    {
        if (Interlocked.Increment(ref _open) <= limit) return true;
        Return();
        return false;
    }

    public void Return() => Interlocked.Decrement(ref _open);

    /// <summary>For this process's limit: each client connection may need one to an upstream.</summary>
    public static ConnectionBudget OfProcess() => new(LimitFor(ReadDescriptorLimit()));

    internal static int LimitFor(long descriptors) =>
        descriptors == long.MaxValue ? int.MaxValue : (int)Math.Clamp((descriptors - Math.Min(Reserved, descriptors * 3 / 4)) / 2, 1, int.MaxValue);

    private static long ReadDescriptorLimit()
    {
        try
        {
            // "Max open files            1048576              1048576              files": the soft limit, which the runtime has raised to the hard one.
            foreach (string line in File.ReadLines("/proc/self/limits"))
            {
                if (!line.StartsWith("Max open files", StringComparison.Ordinal)) continue;
                string soft = line["Max open files".Length..].TrimStart().Split(' ')[0];
                return long.TryParse(soft, NumberStyles.None, CultureInfo.InvariantCulture, out long limit) ? limit : long.MaxValue;
            }
        }
        catch (Exception failure) when (failure is IOException or UnauthorizedAccessException)
        {
            // Not Linux, or no /proc: the listeners' own limits remain.
        }
        return long.MaxValue;
    }
}
