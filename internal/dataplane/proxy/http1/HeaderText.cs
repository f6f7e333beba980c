using System.Text;
using Microsoft.Net.Http.Headers;

namespace Gateway.DataPlane.Proxy.Http1;

/// <summary>
/// Strings for the bytes of header fields, without making the same string twice: names that servers send all the time are Kestrel's own
/// constants (which it then finds by reference), and what was seen lately is kept in a small table per thread. Not thread safe; one per
/// thread, through <see cref="OfThread"/>.
/// </summary>
internal sealed class HeaderText
{
    // Direct-mapped. A server sends a dozen different values most of the time; what does not fit is simply made again.
    private const int Slots = 512;

    // Longer values (cookies, policies) are rarely the same twice, and would keep much memory.
    private const int LongestKept = 96;

    [ThreadStatic]
    private static HeaderText? _ofThread;

    private static readonly string[] WellKnown =
    [
        HeaderNames.AcceptRanges, HeaderNames.AccessControlAllowOrigin, HeaderNames.Age, HeaderNames.Allow, HeaderNames.CacheControl,
        HeaderNames.ContentDisposition, HeaderNames.ContentEncoding, HeaderNames.ContentLanguage, HeaderNames.ContentLocation,
        HeaderNames.ContentRange, HeaderNames.ContentSecurityPolicy, HeaderNames.ContentType, HeaderNames.Date, HeaderNames.ETag,
        HeaderNames.Expires, HeaderNames.LastModified, HeaderNames.Link, HeaderNames.Location, HeaderNames.RetryAfter, HeaderNames.Server,
        HeaderNames.SetCookie, HeaderNames.StrictTransportSecurity, HeaderNames.Trailer, HeaderNames.Vary, HeaderNames.Via,
        HeaderNames.XContentTypeOptions, HeaderNames.XFrameOptions, HeaderNames.XPoweredBy,
    ];

    private readonly (byte[] Bytes, string Text)[] _kept = new (byte[], string)[Slots];

    private HeaderText()
    {
        foreach (string name in WellKnown)
        {
            Keep(name, name);
            Keep(name.ToLowerInvariant(), name);
        }
    }

    public static HeaderText OfThread => _ofThread ??= new HeaderText();

    /// <summary>The bytes as Latin-1 text.</summary>
    public string Of(ReadOnlySpan<byte> bytes)
    {
        if (bytes.IsEmpty) return "";
        if (bytes.Length > LongestKept) return Encoding.Latin1.GetString(bytes);
        ref (byte[] Bytes, string Text) slot = ref _kept[SlotOf(bytes)];
        if (slot.Bytes is null || !bytes.SequenceEqual(slot.Bytes)) slot = (bytes.ToArray(), Encoding.Latin1.GetString(bytes));
        return slot.Text;
    }

    private void Keep(string bytes, string text)
    {
        byte[] raw = Encoding.ASCII.GetBytes(bytes);
        _kept[SlotOf(raw)] = (raw, text);
    }

    // FNV-1a over the length and at most sixteen bytes, from the end, where values differ most.
    private static int SlotOf(ReadOnlySpan<byte> bytes)
    {
        uint hash = 2166136261 ^ (uint)bytes.Length;
        for (int i = bytes.Length - 1, n = 0; i >= 0 && n < 16; i--, n++) hash = (hash ^ bytes[i]) * 16777619;
        return (int)((hash ^ (hash >> 15)) & (Slots - 1));
    }
}
