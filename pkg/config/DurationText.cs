using System.Globalization;

namespace Gateway.Config;

/// <summary>
/// Durations as documents write them: one to four numbers of at most five digits, each with a unit <c>h</c>, <c>m</c>, <c>s</c> or
/// <c>ms</c>, added up: <c>250ms</c>, <c>5s</c>, <c>1h30m</c> (Gateway API, GEP-2257).
/// </summary>
public static class DurationText
{
    /// <summary>The same grammar as a regular expression, for schemas.</summary>
    public const string Pattern = "^([0-9]{1,5}(h|m|s|ms)){1,4}$";

    /// <summary>No text of <see cref="Format(TimeSpan)"/> is longer.</summary>
    public const int MostCharacters = 24;

    private const int MaxParts = 4;
    private const int MaxDigits = 5;

    /// <summary>Reads the text form; false for anything else.</summary>
    public static bool TryParse(ReadOnlySpan<char> text, out TimeSpan duration)
    {
        duration = default;
        long milliseconds = 0;
        int parts = 0;
        while (text.Length > 0)
        {
            int digits = 0;
            long number = 0;
            while (digits < text.Length && char.IsAsciiDigit(text[digits]) && digits <= MaxDigits) number = number * 10 + text[digits++] - '0';
            if (digits is 0 or > MaxDigits || ++parts > MaxParts) return false;
            text = text[digits..];
            int unit = text.StartsWith("ms", StringComparison.Ordinal) ? 2 : 1;
            long scale = unit == 2 ? 1 : text.IsEmpty ? 0 : text[0] switch { 'h' => 3_600_000, 'm' => 60_000, 's' => 1000, _ => 0 };
            if (scale == 0) return false;
            milliseconds += number * scale;
            text = text[unit..];
        }
        duration = new TimeSpan(milliseconds * TimeSpan.TicksPerMillisecond);
        return parts > 0;
    }

    /// <summary>
    /// The shortest text in falling units: <c>1h30m</c>, <c>1s500ms</c>, <c>0s</c>. What is below a millisecond is cut off.
    /// </summary>
    /// <exception cref="ArgumentOutOfRangeException">The duration is negative or has more than 99999 hours.</exception>
    public static string Format(TimeSpan duration)
    {
        Span<char> text = stackalloc char[MostCharacters];
        return new string(text[..Format(duration, text)]);
    }

    /// <summary>The same into a buffer of at least <see cref="MostCharacters"/>; returns how many were written.</summary>
    /// <exception cref="ArgumentOutOfRangeException">As for <see cref="Format(TimeSpan)"/>.</exception>
    public static int Format(TimeSpan duration, Span<char> text)
    {
        long milliseconds = duration.Ticks / TimeSpan.TicksPerMillisecond;
        long hours = milliseconds / 3_600_000;
        if (duration < TimeSpan.Zero || hours > 99_999)
            throw new ArgumentOutOfRangeException(nameof(duration), duration, "A duration is not negative and has at most 99999 hours.");
        int length = 0;
        Append(text, ref length, hours, "h");
        Append(text, ref length, milliseconds / 60_000 % 60, "m");
        Append(text, ref length, milliseconds / 1000 % 60, "s");
        Append(text, ref length, milliseconds % 1000, "ms");
        if (length != 0) return length;
        "0s".CopyTo(text);
        return 2;
    }

    private static void Append(Span<char> text, ref int length, long number, string unit)
    {
        if (number == 0) return;
        number.TryFormat(text[length..], out int written, default, CultureInfo.InvariantCulture);
        length += written;
        unit.CopyTo(text[length..]);
        length += unit.Length;
    }
}
