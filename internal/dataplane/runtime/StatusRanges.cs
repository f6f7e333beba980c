using System.Globalization;

namespace Gateway.DataPlane.Runtime;

/// <summary>Response statuses, as in <c>200-299, 404</c>. Equal when their texts are.</summary>
internal sealed record StatusRanges
{
    private readonly (int From, int To)[] _ranges;

    /// <param name="ranges">Valid: a status or two with a hyphen between them each.</param>
    public StatusRanges(IEnumerable<string> ranges)
    {
        Text = string.Join(", ", ranges);
        _ranges = [.. Text.Split(", ", StringSplitOptions.RemoveEmptyEntries).Select(Parse)];
    }

    public string Text { get; }

    public bool Contains(int status)
    {
        foreach ((int from, int to) in _ranges)
        {
            if (status >= from && status <= to) return true;
        }
        return false;
    }

    public bool Equals(StatusRanges? other) => other is not null && Text == other.Text;

    public override int GetHashCode() => Text.GetHashCode(StringComparison.Ordinal);

    public override string ToString() => Text;

    private static (int From, int To) Parse(string range)
    {
        int hyphen = range.IndexOf('-', StringComparison.Ordinal);
        return hyphen < 0
            ? (Number(range), Number(range))
            : (Number(range.AsSpan(0, hyphen)), Number(range.AsSpan(hyphen + 1)));
    }

    private static int Number(ReadOnlySpan<char> text) => int.Parse(text, NumberStyles.None, CultureInfo.InvariantCulture);
}
