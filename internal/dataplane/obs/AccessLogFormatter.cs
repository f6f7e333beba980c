using System.Globalization;
using System.Net;
using Gateway.Config;

namespace Gateway.DataPlane.Obs;

/// <summary>Turns entries into lines. Runs on the log's own thread.</summary>
internal sealed class AccessLogFormatter(TimeProvider time)
{
    private long _anchorTimestamp;
    private DateTimeOffset _anchor;
    private long _second;
    private readonly byte[] _secondText = new byte[20];
    private StableFields? _stable;

    /// <summary>Takes a reading of the wall clock, from which the timestamps of the entries that follow are dated; so a request needs none.</summary>
    public void Synchronize()
    {
        _anchorTimestamp = time.GetTimestamp();
        _anchor = time.GetUtcNow();
    }

    /// <summary>Appends the line of an entry and its line feed.</summary>
    public void Append(LineBuffer line, in AccessLogEntry entry, AccessLogModel model)
    {
        if (model.Format == AccessLogFormat.Json) Json(line, entry, model);
        else Ncsa(line, entry, model);
        line.Byte((byte)'\n');
    }

    /// <summary>Every line has every field, null where it is not known: whoever reads lines into columns need not guess.</summary>
    private void Json(LineBuffer line, in AccessLogEntry entry, AccessLogModel model)
    {
        line.Byte((byte)'{');
        (_stable ??= new StableFields(Field)).Append(line, entry, model);
        line.Byte((byte)'}');
    }

    /// <param name="start">Where the fields of the line begin.</param>
    private void Field(LineBuffer line, int start, AccessLogField field, in AccessLogEntry entry, AccessLogModel model)
    {
        switch (field)
        {
            case AccessLogField.Time:
                Name(line, start, ",\"time\":"u8);
                line.Byte((byte)'"');
                Time(line, At(entry.StartedAt));
                line.Byte((byte)'"');
                break;
            case AccessLogField.RequestId: Id(line, start, ",\"requestId\":"u8, entry.RequestId); break;
            case AccessLogField.Method: Text(line, start, ",\"method\":"u8, entry.Method); break;
            case AccessLogField.Scheme: Text(line, start, ",\"scheme\":"u8, entry.Scheme); break;
            case AccessLogField.Host: Text(line, start, ",\"host\":"u8, UrlRedaction.Host(entry.Host)); break;
            case AccessLogField.Path:
                Name(line, start, ",\"path\":"u8);
                line.Byte((byte)'"');
                UrlRedaction.Path(line, Path(entry), Escaping.Json);
                line.Byte((byte)'"');
                break;
            case AccessLogField.Query:
                ReadOnlySpan<char> query = Query(entry, model);
                Name(line, start, ",\"query\":"u8);
                if (query.IsEmpty)
                {
                    line.Ascii("null"u8);
                    break;
                }
                line.Byte((byte)'"');
                UrlRedaction.Query(line, query, Escaping.Json);
                line.Byte((byte)'"');
                break;
            case AccessLogField.Protocol: Text(line, start, ",\"protocol\":"u8, entry.Protocol); break;
            case AccessLogField.Status: Number(line, start, ",\"status\":"u8, entry.Status); break;
            case AccessLogField.Route: Text(line, start, ",\"route\":"u8, entry.Route); break;
            case AccessLogField.Pool: Text(line, start, ",\"pool\":"u8, entry.Pool); break;
            case AccessLogField.Endpoint: Text(line, start, ",\"endpoint\":"u8, entry.Endpoint); break;
            case AccessLogField.Attempts: Number(line, start, ",\"attempts\":"u8, entry.Attempts); break;
            case AccessLogField.Breaker: Text(line, start, ",\"breaker\":"u8, entry.Breaker); break;
            case AccessLogField.Category: Text(line, start, ",\"category\":"u8, entry.Category); break;
            case AccessLogField.Detail: Text(line, start, ",\"detail\":"u8, entry.Detail); break;
            case AccessLogField.Snapshot: Text(line, start, ",\"snapshot\":"u8, entry.Snapshot); break;
            case AccessLogField.Variant: Text(line, start, ",\"variant\":"u8, entry.Variant); break;
            case AccessLogField.ClientIp:
                Name(line, start, ",\"clientIp\":"u8);
                if (entry.ClientIp is null)
                {
                    line.Ascii("null"u8);
                    break;
                }
                line.Byte((byte)'"');
                line.Number(Address(entry.ClientIp));
                line.Byte((byte)'"');
                break;
            case AccessLogField.Listener: Text(line, start, ",\"listener\":"u8, entry.Listener); break;
            case AccessLogField.DurationMs: Milliseconds(line, start, ",\"durationMs\":"u8, entry.StartedAt, entry.EndedAt); break;
            case AccessLogField.UpstreamMs: Milliseconds(line, start, ",\"upstreamMs\":"u8, entry.UpstreamStartedAt, entry.UpstreamHeadersAt); break;
            case AccessLogField.RequestBytes: Number(line, start, ",\"requestBytes\":"u8, entry.RequestBytes); break;
            case AccessLogField.ResponseBytes: Number(line, start, ",\"responseBytes\":"u8, entry.ResponseBytes); break;
            case AccessLogField.UserAgent:
                Name(line, start, ",\"userAgent\":"u8);
                if (string.IsNullOrEmpty(entry.UserAgent))
                {
                    line.Ascii("null"u8);
                    break;
                }
                line.Byte((byte)'"');
                line.HeaderText(entry.UserAgent, Escaping.Json);
                line.Byte((byte)'"');
                break;
            case AccessLogField.Referer:
                Name(line, start, ",\"referer\":"u8);
                if (string.IsNullOrEmpty(entry.Referer))
                {
                    line.Ascii("null"u8);
                    break;
                }
                line.Byte((byte)'"');
                UrlRedaction.Url(line, entry.Referer, Escaping.Json, !model.RedactQuery);
                line.Byte((byte)'"');
                break;
            case AccessLogField.TlsVersion: Text(line, start, ",\"tlsVersion\":"u8, entry.TlsVersion); break;
            case AccessLogField.TlsCipher: Text(line, start, ",\"tlsCipher\":"u8, entry.TlsCipher); break;
            case AccessLogField.Sni: Text(line, start, ",\"sni\":"u8, entry.Sni); break;
        }
    }

    /// <summary>The client's name and the user are not known to a gateway, or a credential: "-".</summary>
    private void Ncsa(LineBuffer line, in AccessLogEntry entry, AccessLogModel model)
    {
        if (entry.ClientIp is null) line.Byte((byte)'-');
        else line.Number(Address(entry.ClientIp));
        line.Ascii(" - - ["u8);
        line.Number(At(entry.StartedAt).UtcDateTime, "dd/MMM/yyyy:HH:mm:ss");
        line.Ascii(" +0000] \""u8);
        line.Text(entry.Method ?? "-", Escaping.Ncsa);
        line.Byte((byte)' ');
        UrlRedaction.Path(line, Path(entry), Escaping.Ncsa);
        ReadOnlySpan<char> query = Query(entry, model);
        if (!query.IsEmpty)
        {
            line.Byte((byte)'?');
            UrlRedaction.Query(line, query, Escaping.Ncsa);
        }
        line.Byte((byte)' ');
        line.Text(entry.Protocol ?? "-", Escaping.Ncsa);
        line.Ascii("\" "u8);
        line.Number(entry.Status);
        line.Byte((byte)' ');
        if (entry.ResponseBytes == 0) line.Byte((byte)'-');
        else line.Number(entry.ResponseBytes);
        if (model.Format == AccessLogFormat.Common) return;

        line.Ascii(" \""u8);
        if (string.IsNullOrEmpty(entry.Referer)) line.Byte((byte)'-');
        else UrlRedaction.Url(line, entry.Referer, Escaping.Ncsa, !model.RedactQuery);
        line.Ascii("\" \""u8);
        if (string.IsNullOrEmpty(entry.UserAgent)) line.Byte((byte)'-');
        else line.HeaderText(entry.UserAgent, Escaping.Ncsa);
        line.Byte((byte)'"');
    }

    private static ReadOnlySpan<char> Path(in AccessLogEntry entry)
    {
        ReadOnlySpan<char> target = entry.Target;
        return target.IsEmpty ? "-" : target[..Math.Clamp(entry.PathLength, 0, target.Length)];
    }

    private static ReadOnlySpan<char> Query(in AccessLogEntry entry, AccessLogModel model)
    {
        ReadOnlySpan<char> target = entry.Target;
        return model.RedactQuery || target.Length <= entry.PathLength ? default : target[(entry.PathLength + 1)..];
    }

    // A socket for both families shows an IPv4 client as ::ffff:a.b.c.d.
    private static IPAddress Address(IPAddress address) => address.IsIPv4MappedToIPv6 ? address.MapToIPv4() : address;

    private DateTimeOffset At(long timestamp) => _anchor + time.GetElapsedTime(_anchorTimestamp, timestamp);

    /// <param name="name">With its comma, quotes and colon; the comma is left out before the first field.</param>
    private static void Name(LineBuffer line, int start, ReadOnlySpan<byte> name) => line.Ascii(line.Length == start ? name[1..] : name);

    private static void Text(LineBuffer line, int start, ReadOnlySpan<byte> name, ReadOnlySpan<char> value)
    {
        Name(line, start, name);
        if (value.IsEmpty)
        {
            line.Ascii("null"u8);
            return;
        }
        line.Byte((byte)'"');
        line.Text(value, Escaping.Json);
        line.Byte((byte)'"');
    }

    // Of its characters JSON escapes none.
    private static void Id(LineBuffer line, int start, ReadOnlySpan<byte> name, in RequestId id)
    {
        Name(line, start, name);
        if (id.Length == 0)
        {
            line.Ascii("null"u8);
            return;
        }
        line.Byte((byte)'"');
        line.Number(id);
        line.Byte((byte)'"');
    }

    private static void Number(LineBuffer line, int start, ReadOnlySpan<byte> name, long value)
    {
        Name(line, start, name);
        line.Number(value);
    }

    private void Milliseconds(LineBuffer line, int start, ReadOnlySpan<byte> name, long from, long to)
    {
        Name(line, start, name);
        if (from == 0 || to == 0)
        {
            line.Ascii("null"u8);
            return;
        }
        long microseconds = (long)Math.Round(time.GetElapsedTime(from, to).TotalMicroseconds);
        if (microseconds < 0)
        {
            line.Byte((byte)'-');
            microseconds = -microseconds;
        }
        (long whole, long rest) = Math.DivRem(microseconds, 1000);
        line.Number(whole);
        if (rest == 0) return;
        Span<byte> fraction = [(byte)'.', (byte)('0' + rest / 100), (byte)('0' + rest / 10 % 10), (byte)('0' + rest % 10)];
        line.Ascii(fraction.TrimEnd((byte)'0'));
    }

    // RFC 3339 with milliseconds; all but those is the same for every line of a second.
    private void Time(LineBuffer line, DateTimeOffset at)
    {
        (long second, long rest) = Math.DivRem(at.UtcTicks, TimeSpan.TicksPerSecond);
        if (second != _second)
        {
            _second = second;
            _ = at.UtcDateTime.TryFormat(_secondText, out _, "yyyy-MM-ddTHH:mm:ss.", CultureInfo.InvariantCulture);
        }
        long milliseconds = rest / TimeSpan.TicksPerMillisecond;
        line.Ascii(_secondText);
        line.Ascii([(byte)('0' + milliseconds / 100), (byte)('0' + milliseconds / 10 % 10), (byte)('0' + milliseconds % 10), (byte)'Z']);
    }
}
