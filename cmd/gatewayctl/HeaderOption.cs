namespace Gateway.Ctl;

/// <summary>Header fields as curl's <c>-H</c> takes them.</summary>
internal static class HeaderOption
{
    public static IReadOnlyDictionary<string, IReadOnlyList<string>> Read(IEnumerable<string> fields)
    {
        var headers = new Dictionary<string, IReadOnlyList<string>>(StringComparer.OrdinalIgnoreCase);
        foreach (string field in fields)
        {
            int colon = field.IndexOf(':');
            if (colon <= 0) throw new UserException($"'{field}' is not a header field: write it as 'name: value'");
            string name = field[..colon].Trim();
            headers[name] = [.. headers.GetValueOrDefault(name) ?? [], field[(colon + 1)..].Trim()];
        }
        return headers;
    }
}
