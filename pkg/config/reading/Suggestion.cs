namespace Gateway.Config.Reading;

/// <summary>"Did you mean …?": the known word nearest to an unknown one.</summary>
internal static class Suggestion
{
    private const int MaxLength = 64;

    /// <summary>Not worth a look through more names than this.</summary>
    private const int MaxCandidates = 10_000;

    /// <summary><c>; did you mean "x"?</c>, or nothing when no known word is near.</summary>
    public static string For(string word, IEnumerable<string> known)
    {
        if (word.Length is 0 or > MaxLength) return "";
        string? best = null;
        int limit = Math.Max(1, word.Length / 3), looked = 0;
        foreach (string candidate in known)
        {
            if (++looked > MaxCandidates) break;
            if (string.Equals(candidate, word, StringComparison.OrdinalIgnoreCase)) return $"; did you mean \"{candidate}\"?";
            if (candidate.Length > MaxLength || Math.Abs(candidate.Length - word.Length) > limit) continue;
            int distance = Distance(word, candidate);
            if (distance > limit) continue;
            best = candidate;
            limit = distance - 1;
        }
        return best is null ? "" : $"; did you mean \"{best}\"?";
    }

    public static bool IsNear(string word, string known) => For(word, [known]).Length > 0;

    /// <summary>Insertions, deletions, replacements and swaps of neighbours (Damerau, restricted), without case.</summary>
    private static int Distance(string a, string b)
    {
        Span<int> older = stackalloc int[MaxLength + 1], old = stackalloc int[MaxLength + 1], row = stackalloc int[MaxLength + 1];
        for (int j = 0; j <= b.Length; j++) old[j] = j;
        for (int i = 1; i <= a.Length; i++)
        {
            row[0] = i;
            for (int j = 1; j <= b.Length; j++)
            {
                int change = Same(a[i - 1], b[j - 1]) ? 0 : 1;
                row[j] = Math.Min(Math.Min(row[j - 1], old[j]) + 1, old[j - 1] + change);
                if (i > 1 && j > 1 && Same(a[i - 1], b[j - 2]) && Same(a[i - 2], b[j - 1])) row[j] = Math.Min(row[j], older[j - 2] + 1);
            }
            Span<int> spare = older;
            older = old;
            old = row;
            row = spare;
        }
        return old[b.Length];
    }

    private static bool Same(char a, char b) => char.ToLowerInvariant(a) == char.ToLowerInvariant(b);
}
