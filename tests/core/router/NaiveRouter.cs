using System.Text;
using System.Text.RegularExpressions;
using Gateway.Core.Router;

namespace Gateway.Core.Tests.Router;

/// <summary>
/// The reference: what a route choice means, written for plainness from the contract. It looks at every rule, keeps those that match and
/// takes the first in the order of precedence. Shares no code with the compiled table.
/// </summary>
public sealed class NaiveRouter(IReadOnlyList<RouteRule<string>> rules)
{
    public string? Match(string method, string host, string path, string query, Func<string, string[]> header)
    {
        host = WithoutPort(host);
        if (!path.StartsWith('/')) return Best(method, host, null, query, header)?.Target;
        RouteRule<string>? strict = Best(method, host, StrictPath(path), query, header);
        if (strict is null || strict.PathKind == PathKind.Exact || StrictPath(path) == LaxPath(path)) return strict?.Target;
        string lax = LaxPath(path);
        if (strict.PathKind == PathKind.Prefix)
        {
            string written = Prefix(strict.Path), laxWritten = LaxPath(StrictPath(strict.Path)).TrimEnd('/');
            if (written != laxWritten && IsUnder(lax, laxWritten)) return strict.Target;
        }
        return ReferenceEquals(strict, Best(method, host, lax, query, header)) ? strict.Target : null;
    }

    private RouteRule<string>? Best(string method, string host, string? path, string query, Func<string, string[]> header)
    {
        (RouteRule<string>? Rule, int[] Key) best = (null, []);
        for (int i = 0; i < rules.Count; i++)
        {
            RouteRule<string> rule = rules[i];
            int hostRank = HostRank(rule, host);
            int[]? pathRank = PathRank(rule, path);
            if (hostRank < 0 || pathRank is null || !PredicatesHold(rule, method, query, header)) continue;
            int[] key = [hostRank, .. pathRank, rule.Methods.Count != 0 ? 1 : 0, rule.Headers.Count, rule.Query.Count, -i];
            if (best.Rule is null || key.AsSpan().SequenceCompareTo(best.Key) > 0) best = (rule, key);
        }
        return best.Rule;
    }

    // Any host 0, a wildcard the length of its suffix, an exact host above all.
    private static int HostRank(RouteRule<string> rule, string host)
    {
        if (rule.Hosts.Count == 0) return 0;
        int rank = -1;
        foreach (string written in rule.Hosts)
        {
            string name = written.TrimEnd('.');
            if (name == "*") rank = Math.Max(rank, 0);
            else if (name.StartsWith("*.")) rank = Math.Max(rank, host.Length >= name.Length && host.EndsWith(name[1..], StringComparison.OrdinalIgnoreCase) ? name.Length : -1);
            else if (name.Equals(host, StringComparison.OrdinalIgnoreCase)) rank = int.MaxValue;
        }
        return rank;
    }

    private static int[]? PathRank(RouteRule<string> rule, string? path) => rule.PathKind switch
    {
        PathKind.Any => [0, 0],
        _ when path is null => null,
        PathKind.Exact => StrictPath(rule.Path) == path ? [3, 0] : null,
        PathKind.Prefix => IsUnder(path, Prefix(rule.Path)) ? [2, Prefix(rule.Path).Length] : null,
        _ => new Regex(rule.Path, RegexOptions.NonBacktracking | RegexOptions.CultureInvariant).IsMatch(path) ? [1, 0] : null,
    };

    private static bool PredicatesHold(RouteRule<string> rule, string method, string query, Func<string, string[]> header) =>
        (rule.Methods.Count == 0 || rule.Methods.Contains(method))
        && rule.Headers.All(c => Holds(c, header(c.Name)))
        && rule.Query.All(c => Holds(c, QueryValues(query, c.Name)));

    private static bool Holds(ValueCondition condition, string[] values) => condition.Kind switch
    {
        ValueConditionKind.Present => values.Length != 0,
        ValueConditionKind.Absent => values.Length == 0,
        ValueConditionKind.Equals => values.Contains(condition.Text),
        _ => values.Any(v => Regex.IsMatch(v, condition.Text, RegexOptions.NonBacktracking | RegexOptions.CultureInvariant)),
    };

    private static string[] QueryValues(string query, string name) =>
        [.. query.Split('&').Where(static p => p != "").Select(static p => p.Split('=', 2)).Where(p => FormDecode(p[0]) == name).Select(static p => p.Length == 1 ? "" : FormDecode(p[1]))];

    private static string FormDecode(string text) => DecodeIf(text.Replace('+', ' '), static _ => true);

    public static string WithoutPort(string host)
    {
        if (host.StartsWith('[')) return host.Contains(']') ? host[..(host.IndexOf(']') + 1)] : host;
        host = host.Split(':')[0];
        return host.EndsWith('.') ? host[..^1] : host;
    }

    public static string StrictPath(string path) =>
        WithoutDots(DecodeIf(path, static b => char.IsAsciiLetterOrDigit((char)b) || "-._~".Contains((char)b))[1..].Split('/'), false);

    public static string LaxPath(string path)
    {
        string decoded = DecodeIf(path, static b => char.IsAsciiLetterOrDigit((char)b) || "-._~".Contains((char)b));
        string slashed = decoded.Replace("%2F", "/").Replace("%5C", "/").Replace('\\', '/');
        return WithoutDots(slashed[1..].Split('/').Select(static s => s.Split(';')[0]), true);
    }

    private static string WithoutDots(IEnumerable<string> segments, bool merge)
    {
        var kept = new List<string>();
        bool folder = false;
        foreach (string segment in segments)
        {
            folder = segment is "." or ".." || (merge && segment == "");
            if (segment == ".." && kept.Count != 0) kept.RemoveAt(kept.Count - 1);
            if (!folder) kept.Add(segment);
        }
        return "/" + string.Join('/', kept) + (folder && kept.Count != 0 ? "/" : "");
    }

    // Decodes the octets that are chosen; the others keep their encoding, in upper case. UTF-8 throughout.
    private static string DecodeIf(string text, Func<byte, bool> chosen)
    {
        var bytes = new List<byte>();
        for (int i = 0; i < text.Length; i++)
        {
            if (text[i] == '%' && i + 2 < text.Length && byte.TryParse(text.AsSpan(i + 1, 2), System.Globalization.NumberStyles.AllowHexSpecifier, null, out byte value))
            {
                if (chosen(value)) bytes.Add(value);
                else bytes.AddRange(Encoding.ASCII.GetBytes("%" + value.ToString("X2")));
                i += 2;
            }
            else
            {
                bytes.AddRange(Encoding.UTF8.GetBytes([text[i]]));
            }
        }
        return Encoding.UTF8.GetString([.. bytes]);
    }

    private static string Prefix(string path) => StrictPath(path) is var p && p.EndsWith('/') ? p[..^1] : p;

    private static bool IsUnder(string path, string prefix) => path == prefix || path.StartsWith(prefix + "/", StringComparison.Ordinal);
}
