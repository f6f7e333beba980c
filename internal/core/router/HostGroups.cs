using System.Runtime.InteropServices;

namespace Gateway.Core.Router;

/// <summary>Rules by host, each rule once per host: one array, cut by counting, since most tables have about as many hosts as rules.</summary>
internal sealed class HostGroups<T>
    where T : class
{
    /// <summary>The host of rules that have none.</summary>
    public const string AnyHost = "*";

    private readonly List<string> _hosts = [];
    private int[] _ends = [];
    private CompiledRule<T>[] _rules = [];

    public int Count => _hosts.Count;

    public string Host(int index) => _hosts[index];

    public Memory<CompiledRule<T>> Rules(int index) => _rules.AsMemory(index == 0 ? 0 : _ends[index - 1], Size(index));

    public static HostGroups<T> Of(CompiledRule<T>[] rules)
    {
        var groups = new HostGroups<T>();
        var ids = new Dictionary<string, int>(StringComparer.OrdinalIgnoreCase);
        var members = new List<(int Host, int Rule)>(rules.Length);
        // The last rule that each host was given: a host named twice in one rule counts once.
        var last = new List<int>();
        for (int i = 0; i < rules.Length; i++)
        {
            IReadOnlyList<string> hosts = rules[i].Rule.Hosts;
            for (int h = 0; h < Math.Max(hosts.Count, 1); h++)
            {
                string host = hosts.Count == 0 ? AnyHost : HostName.OfRule(hosts[h]);
                ref int id = ref CollectionsMarshal.GetValueRefOrAddDefault(ids, host, out bool known);
                if (!known)
                {
                    id = groups._hosts.Count;
                    groups._hosts.Add(host);
                    last.Add(-1);
                }
                if (last[id] == i) continue;
                last[id] = i;
                members.Add((id, i));
                rules[i].HostCount++;
            }
        }
        groups.Cut(rules, members);
        return groups;
    }

    private void Cut(CompiledRule<T>[] rules, List<(int Host, int Rule)> members)
    {
        int[] next = new int[_hosts.Count + 1];
        foreach ((int host, _) in members) next[host + 1]++;
        for (int i = 1; i < next.Length; i++) next[i] += next[i - 1];
        _rules = new CompiledRule<T>[members.Count];
        foreach ((int host, int rule) in members) _rules[next[host]++] = rules[rule];
        _ends = next;
    }

    private int Size(int index) => _ends[index] - (index == 0 ? 0 : _ends[index - 1]);
}
