using System.Diagnostics;
using System.Globalization;

namespace Gateway.Bench.Load;

/// <summary>CPU time and memory of a process and all its children, from /proc.</summary>
internal static class ProcessTree
{
    // Clock ticks of /proc/PID/stat per second: fixed at 100 for user space on Linux.
    private const double TicksPerSecond = 100;

    public static (double User, double System, long ResidentBytes) Read(int root)
    {
        double user = 0, system = 0;
        long resident = 0;
        foreach (int pid in Members(root))
        {
            string[]? fields = Stat(pid);
            if (fields is null) continue;
            user += double.Parse(fields[11], CultureInfo.InvariantCulture) / TicksPerSecond;
            system += double.Parse(fields[12], CultureInfo.InvariantCulture) / TicksPerSecond;
            resident += long.Parse(fields[21], CultureInfo.InvariantCulture) * Environment.SystemPageSize;
        }
        return (user, system, resident);
    }

    private static List<int> Members(int root)
    {
        var parents = new List<(int Pid, int Parent)>();
        foreach (string folder in Directory.EnumerateDirectories("/proc"))
        {
            if (int.TryParse(Path.GetFileName(folder), out int pid) && Stat(pid) is { } fields) parents.Add((pid, int.Parse(fields[1], CultureInfo.InvariantCulture)));
        }
        var members = new List<int> { root };
        for (int i = 0; i < members.Count; i++) members.AddRange(parents.Where(p => p.Parent == members[i]).Select(p => p.Pid));
        return members;
    }

    // The fields after the command's closing parenthesis: state is 0, parent 1, utime 11, stime 12, rss 21.
    private static string[]? Stat(int pid)
    {
        try
        {
            string stat = File.ReadAllText($"/proc/{pid}/stat");
            return stat[(stat.LastIndexOf(')') + 2)..].Split(' ');
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            return null;
        }
    }

    public static Process Start(string file, string arguments, string? core = null, IReadOnlyDictionary<string, string>? environment = null)
    {
        var start = new ProcessStartInfo { FileName = "/bin/sh", UseShellExecute = false, RedirectStandardOutput = true, RedirectStandardError = true };
        start.ArgumentList.Add("-c");
        start.ArgumentList.Add("exec " + (core is null ? "" : $"taskset -c {core} ") + file + " " + arguments);
        if (environment is not null)
        {
            foreach ((string name, string value) in environment) start.Environment[name] = value;
        }
        return Process.Start(start)!;
    }
}
