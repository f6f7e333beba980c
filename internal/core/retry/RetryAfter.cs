using System.Globalization;

namespace Gateway.Core.Retry;

/// <summary>The field Retry-After (RFC 9110 section 10.2.3): seconds, or a date in any of the three forms of section 5.6.7.</summary>
public static class RetryAfter
{
    private static readonly string[] Dates = ["ddd, dd MMM yyyy HH:mm:ss 'GMT'", "dddd, dd-MMM-yy HH:mm:ss 'GMT'", "ddd MMM d HH:mm:ss yyyy"];

    /// <summary>Reads the field. A date that has passed is no delay; more seconds than 100 years hold are refused like anything else that is not one of the forms.</summary>
    public static bool TryParse(ReadOnlySpan<char> value, DateTimeOffset now, out TimeSpan delay)
    {
        delay = TimeSpan.Zero;
        value = value.Trim();
        if (value.Length is > 0 and <= 10 && !value.ContainsAnyExceptInRange('0', '9'))
        {
            long seconds = long.Parse(value, NumberStyles.None, CultureInfo.InvariantCulture);
            if (seconds > 100L * 366 * 24 * 3600) return false;
            delay = TimeSpan.FromSeconds(seconds);
            return true;
        }
        // asctime pads the day with a space.
        const DateTimeStyles Styles = DateTimeStyles.AssumeUniversal | DateTimeStyles.AdjustToUniversal | DateTimeStyles.AllowInnerWhite;
        if (!DateTimeOffset.TryParseExact(value, Dates, CultureInfo.InvariantCulture, Styles, out DateTimeOffset date)) return false;
        if (date > now) delay = date - now;
        return true;
    }
}
