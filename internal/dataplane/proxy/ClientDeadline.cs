using System.Globalization;
using Gateway.Config;

namespace Gateway.DataPlane.Proxy;

/// <summary>
/// How long the client waits for its answer, as it said in <c>grpc-timeout</c> (the gRPC protocol over HTTP/2, "Timeout") or in the field
/// that the route names. What is left of it goes upstream in the same field. The default value is of a client that said nothing.
/// </summary>
internal readonly struct ClientDeadline
{
    /// <summary>Of what <see cref="Write"/> writes at most.</summary>
    public const int MostCharacters = DurationText.MostCharacters;

    private const string GrpcTimeout = "grpc-timeout";

    // Eight digits at most are legal in grpc-timeout, and they are more than a day in milliseconds.
    private const int MostDigits = 8;

    private enum Form : byte
    {
        None,
        Grpc,
        Milliseconds,
        Duration,
    }

    private readonly Form _form;

    private ClientDeadline(string field, Form form, TimeSpan time, bool isNearest)
    {
        Field = field;
        _form = form;
        Time = time;
        IsNearest = isNearest;
    }

    /// <summary>The field it came in; null for none.</summary>
    public string? Field { get; }

    /// <summary>From the request's arrival.</summary>
    public TimeSpan Time { get; }

    /// <summary>It ends before the route's own time for a request does.</summary>
    public bool IsNearest { get; }

    /// <summary>Reads the field. One that cannot be read is left alone: it goes upstream as it is.</summary>
    /// <param name="routeTime">The route's time for a request; infinite for none.</param>
    public static ClientDeadline Read(string field, string value, TimeSpan routeTime)
    {
        Form form;
        TimeSpan time;
        if (field == GrpcTimeout) form = TryParseGrpc(value, out time) ? Form.Grpc : Form.None;
        else if (value.Length is > 0 and <= 10 && long.TryParse(value, NumberStyles.None, CultureInfo.InvariantCulture, out long milliseconds))
            (form, time) = (Form.Milliseconds, TimeSpan.FromMilliseconds(milliseconds));
        else form = DurationText.TryParse(value, out time) ? Form.Duration : Form.None;
        return form == Form.None ? default : new ClientDeadline(field, form, time, routeTime == Timeout.InfiniteTimeSpan || time < routeTime);
    }

    /// <summary>The field of a request: gRPC's own, or the route's.</summary>
    public static string? FieldOf(bool isGrpc, string? routeField) => isGrpc ? GrpcTimeout : routeField;

    /// <summary>What is left, as the field is written; never nothing: a request that has none left is not sent, save for what the clock goes on between that look and this one.</summary>
    /// <param name="elapsed">Since the request's arrival.</param>
    /// <param name="buffer">Of <see cref="MostCharacters"/>, which the text is written into.</param>
    public ReadOnlySpan<char> Write(TimeSpan elapsed, Span<char> buffer)
    {
        TimeSpan left = Time - elapsed;
        if (_form == Form.Grpc) return FormatGrpc(left, buffer);
        long milliseconds = Math.Max(1, (long)left.TotalMilliseconds);
        return _form == Form.Milliseconds ? Number(milliseconds, "", buffer) : buffer[..DurationText.Format(TimeSpan.FromMilliseconds(milliseconds), buffer)];
    }

    private static bool TryParseGrpc(ReadOnlySpan<char> value, out TimeSpan time)
    {
        time = default;
        if (value.Length is < 2 or > MostDigits + 1 || !int.TryParse(value[..^1], NumberStyles.None, CultureInfo.InvariantCulture, out int n)) return false;
        long ticks = value[^1] switch
        {
            'H' => TimeSpan.TicksPerHour,
            'M' => TimeSpan.TicksPerMinute,
            'S' => TimeSpan.TicksPerSecond,
            'm' => TimeSpan.TicksPerMillisecond,
            'u' => TimeSpan.TicksPerMicrosecond,
            'n' => 0,
            _ => -1,
        };
        if (ticks < 0) return false;
        time = new TimeSpan(ticks == 0 ? n / TimeSpan.NanosecondsPerTick : n * ticks);
        return true;
    }

    private static ReadOnlySpan<char> FormatGrpc(TimeSpan left, Span<char> buffer)
    {
        const long Most = 99_999_999;
        long micros = Math.Max(1, left.Ticks / TimeSpan.TicksPerMicrosecond);
        if (micros <= Most) return Number(micros, "u", buffer);
        long millis = micros / 1000;
        return millis <= Most ? Number(millis, "m", buffer) : Number(Math.Min(Most, millis / 1000), "S", buffer);
    }

    private static ReadOnlySpan<char> Number(long number, string unit, Span<char> buffer)
    {
        _ = number.TryFormat(buffer, out int length, default, CultureInfo.InvariantCulture);
        unit.CopyTo(buffer[length..]);
        return buffer[..(length + unit.Length)];
    }
}
