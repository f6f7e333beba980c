namespace Gateway.Core.Router.Compare;

/// <summary>Sets of hosts as rules write them: one name, <c>*.suffix</c>, or <c>*</c> for all. Two of them are nested or disjoint.</summary>
internal static class HostSpan
{
    public static bool IsAny(string span) => span == "*";

    public static bool IsWildcard(string span) => span.StartsWith("*.", StringComparison.Ordinal);

    /// <summary>Every host of <paramref name="inner"/> is one of <paramref name="outer"/>.</summary>
    public static bool Covers(string outer, string inner)
    {
        if (IsAny(outer)) return true;
        if (IsAny(inner)) return false;
        if (!IsWildcard(outer)) return outer.Equals(inner, StringComparison.OrdinalIgnoreCase);
        ReadOnlySpan<char> suffix = outer.AsSpan(1);
        // A wildcard stands for at least one label; "*.a.x" is within "*.x", and "*.x" within itself.
        return IsWildcard(inner)
            ? inner.Length >= outer.Length && inner.AsSpan(1).EndsWith(suffix, StringComparison.OrdinalIgnoreCase)
            : inner.Length > suffix.Length && inner.AsSpan().EndsWith(suffix, StringComparison.OrdinalIgnoreCase);
    }

    /// <summary>The hosts of both; null for none.</summary>
    public static string? Intersect(string a, string b) => Covers(a, b) ? b : Covers(b, a) ? a : null;

    /// <summary>More for what is asked first.</summary>
    public static int Rank(string span) => IsAny(span) ? 0 : IsWildcard(span) ? span.Length : int.MaxValue;

    /// <summary>A host of <paramref name="span"/> outside of all of <paramref name="excluded"/>; null when there is none.</summary>
    public static string? Member(string span, IReadOnlyList<string> excluded)
    {
        if (!IsAny(span) && !IsWildcard(span)) return IsIn(span, excluded) ? null : span;
        foreach (string outer in excluded)
            if (Covers(outer, span)) return null;
        // One of these labels is not among the finitely many excluded names below the span.
        string suffix = IsAny(span) ? "" : span[2..];
        for (int i = 0; i <= excluded.Count + 1; i++)
        {
            string label = i == 0 ? "host" : $"host{i}";
            string host = suffix.Length == 0 ? $"{label}.test{(i == 0 ? "" : i)}" : $"{label}.{suffix}";
            if (!IsIn(host, excluded)) return host;
        }
        return null;
    }

    private static bool IsIn(string host, IReadOnlyList<string> spans)
    {
        foreach (string span in spans)
            if (Covers(span, host)) return true;
        return false;
    }
}
