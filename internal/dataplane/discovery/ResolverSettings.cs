using System.Globalization;
using System.Net;

namespace Gateway.DataPlane.Discovery;

/// <summary>Whom to ask, and under which names (resolv.conf(5)).</summary>
/// <param name="Servers">In the order to try them.</param>
/// <param name="Search">Domains to try a name in.</param>
/// <param name="Dots">A name with fewer dots is tried in the search domains first.</param>
internal sealed record ResolverSettings(IReadOnlyList<IPEndPoint> Servers, IReadOnlyList<string> Search, int Dots)
{
    // glibc's limits: what is beyond them is ignored.
    private const int MaxServers = 3, MaxSearch = 6, MaxDots = 15;

    public const int Port = 53;

    /// <summary>Lines that are not understood are passed over, as the system's resolver does.</summary>
    public static ResolverSettings Parse(string resolvConf)
    {
        List<IPEndPoint> servers = [];
        List<string> search = [];
        int dots = 1;
        foreach (string line in resolvConf.Split('\n'))
        {
            string[] words = line.Split([' ', '\t', '\r'], StringSplitOptions.RemoveEmptyEntries);
            if (words.Length < 2) continue;
            switch (words[0])
            {
                case "nameserver":
                    if (servers.Count < MaxServers && IPAddress.TryParse(words[1], out IPAddress? server)) servers.Add(new IPEndPoint(server, Port));
                    break;
                // The last of several counts.
                case "search" or "domain":
                    search = [.. words.Skip(1).Select(static domain => domain.TrimEnd('.')).Where(static domain => domain.Length > 0).Take(MaxSearch)];
                    break;
                case "options":
                    foreach (string option in words.Skip(1))
                    {
                        if (option.StartsWith("ndots:", StringComparison.Ordinal) && int.TryParse(option.AsSpan(6), NumberStyles.None, CultureInfo.InvariantCulture, out int number))
                            dots = Math.Min(number, MaxDots);
                    }
                    break;
            }
        }
        return new ResolverSettings(servers, search, dots);
    }

    /// <summary>The names to ask for, one after the other until one has an answer.</summary>
    public IEnumerable<string> CandidatesOf(string name)
    {
        bool whole = name.EndsWith('.');
        bool first = whole || name.Count(static c => c == '.') >= Dots;
        if (first) yield return name.TrimEnd('.');
        if (whole) yield break;
        foreach (string domain in Search) yield return $"{name}.{domain}";
        if (!first) yield return name;
    }
}
