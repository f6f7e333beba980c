using System.Text;

namespace Gateway.Core.Router.Compare;

/// <summary>
/// Guesses texts that match a regular expression, by reading its commonest constructs. A guess is not a proof: whoever asks tries each text
/// with the expression itself.
/// </summary>
internal static class RegexSamples
{
    private const int Variants = 12;

    /// <summary>Different texts, likeliest first.</summary>
    public static IEnumerable<string> Of(string pattern)
    {
        var seen = new HashSet<string>();
        for (int variant = 0; variant < Variants; variant++)
        {
            string sample = new Reading(pattern, variant).Sample();
            if (seen.Add(sample)) yield return sample;
        }
    }

    private sealed class Reading(string pattern, int variant)
    {
        private int _at;

        // Mixed anew at each choice, so that variants differ in all of them.
        private int _choice = variant;

        public string Sample()
        {
            var text = new StringBuilder();
            while (_at < pattern.Length)
            {
                text.Append(Alternatives());
                // An unbalanced parenthesis; not a pattern that compiled.
                if (_at < pattern.Length) _at++;
            }
            return text.ToString();
        }

        private string Alternatives()
        {
            var all = new List<string> { Sequence() };
            while (_at < pattern.Length && pattern[_at] == '|')
            {
                _at++;
                all.Add(Sequence());
            }
            return all[Choose(all.Count)];
        }

        private string Sequence()
        {
            var text = new StringBuilder();
            while (_at < pattern.Length && pattern[_at] is not ('|' or ')'))
            {
                string one = Atom();
                int times = Times();
                for (int i = 0; i < times; i++) text.Append(one);
            }
            return text.ToString();
        }

        private string Atom()
        {
            char c = pattern[_at++];
            switch (c)
            {
                case '^' or '$': return "";
                case '.': return Pick("x1/");
                case '[': return Class();
                case '\\': return _at < pattern.Length ? Escape(pattern[_at++]) : "";
                case '(':
                    if (_at < pattern.Length && pattern[_at] == '?') SkipGroupOptions();
                    string inner = Alternatives();
                    if (_at < pattern.Length) _at++;
                    return inner;
                default: return c.ToString();
            }
        }

        // (?:…), (?<name>…), (?i) and (?i:…): the first sign after which the pattern goes on.
        private void SkipGroupOptions()
        {
            while (_at < pattern.Length && pattern[_at] is not (':' or '>' or ')')) _at++;
            if (_at < pattern.Length && pattern[_at] != ')') _at++;
        }

        private string Class()
        {
            bool negated = _at < pattern.Length && pattern[_at] == '^';
            if (negated) _at++;
            var members = new StringBuilder();
            for (bool first = true; _at < pattern.Length && (first || pattern[_at] != ']'); first = false)
            {
                char c = pattern[_at++];
                string low = c == '\\' && _at < pattern.Length ? Escape(pattern[_at++]) : c.ToString();
                members.Append(low);
                if (_at + 1 < pattern.Length && pattern[_at] == '-' && pattern[_at + 1] != ']')
                {
                    members.Append(pattern[_at + 1]);
                    _at += 2;
                }
            }
            _at++;
            if (!negated) return members.Length == 0 ? "" : Pick(members.ToString());
            foreach (char c in "xa1/_-.")
                if (!members.ToString().Contains(c)) return c.ToString();
            return "";
        }

        private static string Escape(char c) => c switch
        {
            'd' => "1",
            'w' or 'D' or 'S' => "x",
            'W' => "-",
            's' => " ",
            'b' or 'B' or 'A' or 'z' or 'Z' or 'G' => "",
            _ => c.ToString(),
        };

        private int Times()
        {
            if (_at >= pattern.Length) return 1;
            int times = 1;
            switch (pattern[_at])
            {
                case '*' or '?': times = Choose(2) == 0 ? 1 : 0; break;
                case '+': times = 1 + Choose(2); break;
                case '{' when _at + 1 < pattern.Length && char.IsAsciiDigit(pattern[_at + 1]):
                    int end = _at + 1;
                    for (times = 0; end < pattern.Length && char.IsAsciiDigit(pattern[end]) && times < 1000; end++) times = times * 10 + pattern[end] - '0';
                    while (end < pattern.Length && pattern[end] != '}') end++;
                    _at = end;
                    break;
                default: return 1;
            }
            _at++;
            if (_at < pattern.Length && pattern[_at] == '?') _at++;
            return times;
        }

        private string Pick(string members) => members[Choose(members.Length)].ToString();

        private int Choose(int count)
        {
            int chosen = _choice % count;
            _choice = _choice * 7 / 3;
            return chosen;
        }
    }
}
