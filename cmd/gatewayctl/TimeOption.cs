using System.CommandLine.Parsing;
using System.Globalization;

namespace Gateway.Ctl;

/// <summary>Options whose value is a time: in UTC unless it says otherwise.</summary>
internal static class TimeOption
{
    public static DateTimeOffset? Read(ArgumentResult result)
    {
        string text = result.Tokens.Count == 0 ? "" : result.Tokens[0].Value;
        if (DateTimeOffset.TryParse(text, CultureInfo.InvariantCulture, DateTimeStyles.AssumeUniversal, out DateTimeOffset time)) return time;
        result.AddError($"'{text}' is not a time; write it as 2026-11-20 or 2026-11-20T09:30:00Z");
        return null;
    }
}
