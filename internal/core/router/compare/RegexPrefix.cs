using System.Text;
using System.Text.RegularExpressions;

namespace Gateway.Core.Router.Compare;

/// <summary>The text with which everything that an anchored regular expression matches begins: enough to tell most patterns of paths apart.</summary>
internal static class RegexPrefix
{
    /// <summary>No path under the prefix can match all of the patterns. False when that is not known.</summary>
    public static bool Contradict(string prefix, List<Regex> patterns)
    {
        string longest = prefix;
        foreach (Regex pattern in patterns)
        {
            string begin = Of(pattern.ToString());
            if (!longest.StartsWith(begin, StringComparison.Ordinal) && !begin.StartsWith(longest, StringComparison.Ordinal)) return true;
            if (begin.Length > longest.Length) longest = begin;
        }
        // "/api" and what begins with "/apis" share no path.
        return longest.Length > prefix.Length && longest[prefix.Length] != '/';
    }

    /// <summary>Empty when nothing is known.</summary>
    public static string Of(string pattern)
    {
        if (!pattern.StartsWith('^') || pattern.Contains('|')) return "";
        var text = new StringBuilder();
        for (int i = 1; i < pattern.Length; i++)
        {
            char c = pattern[i];
            int next = i + 1;
            if (c == '\\')
            {
                // An escaped sign is itself; an escaped letter or digit is a class.
                if (next >= pattern.Length || char.IsAsciiLetterOrDigit(pattern[next])) break;
                c = pattern[next++];
            }
            else if (!char.IsAsciiLetterOrDigit(c) && c is not ('/' or '-' or '_' or '~' or '%' or '=' or '@' or ':' or ',' or ';' or '&' or '!'))
            {
                break;
            }
            // What may be left out is not begun with.
            if (next < pattern.Length && pattern[next] is '*' or '?' or '{') break;
            text.Append(c);
            if (next < pattern.Length && pattern[next] == '+') break;
            i = next - 1;
        }
        return text.ToString();
    }
}
