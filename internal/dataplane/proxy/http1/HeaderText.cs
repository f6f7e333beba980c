using System.Buffers.Binary;
using System.Numerics;
using System.Text;
using Microsoft.Net.Http.Headers;

namespace Gateway.DataPlane.Proxy.Http1;

/// <summary>
/// Strings for the bytes of header fields, without making the same string twice: names that servers and clients send all the time are Kestrel's own
/// constants (which it then finds by reference), and what was seen lately is kept in a small table per thread. Not thread safe; one per
/// thread, through <see cref="OfThread"/>.
/// </summary>
internal sealed class HeaderText
{
    // Direct-mapped. A server sends a dozen different values most of the time; what does not fit is simply made again.
    private const int SlotBits = 9;
    private const int Slots = 1 << SlotBits;

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
        HeaderNames.Accept, HeaderNames.AcceptEncoding, HeaderNames.AcceptLanguage, HeaderNames.Authorization, HeaderNames.Connection,
        HeaderNames.ContentLength, HeaderNames.Cookie, HeaderNames.Host, HeaderNames.IfModifiedSince, HeaderNames.IfNoneMatch, HeaderNames.Origin,
        HeaderNames.Pragma, HeaderNames.Range, HeaderNames.Referer, HeaderNames.TE, HeaderNames.TraceParent, HeaderNames.TraceState,
        HeaderNames.UpgradeInsecureRequests, HeaderNames.UserAgent,
    ];

    private readonly Kept[] _kept = new Kept[Slots];

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
        return bytes.Length > LongestKept ? Encoding.Latin1.GetString(bytes) : Find(bytes, out _).Text;
    }

    /// <summary>A field's name as text.</summary>
    /// <param name="bytes">The name; a token, so not empty.</param>
    /// <param name="endsHere">The field never goes on beyond this hop.</param>
    /// <param name="place">Below 64; the same for the same name on this thread, and mostly another for another name.</param>
    public string OfName(ReadOnlySpan<byte> bytes, out bool endsHere, out int place)
    {
        if (bytes.Length > LongestKept)
        {
            string name = Encoding.Latin1.GetString(bytes);
            (endsHere, place) = (HopByHop.Is(name), 0);
            return name;
        }
        ref Kept kept = ref Find(bytes, out place);
        if (kept.Name == NameKind.Unknown) kept.Name = HopByHop.Is(kept.Text) ? NameKind.HopByHop : NameKind.EndToEnd;
        endsHere = kept.Name == NameKind.HopByHop;
        place &= 63;
        return kept.NameText ?? kept.Text;
    }

    private ref Kept Find(ReadOnlySpan<byte> bytes, out int slot)
    {
        slot = SlotOf(bytes);
        ref Kept kept = ref _kept[slot];
        if (kept.Bytes is null || !bytes.SequenceEqual(kept.Bytes)) kept = new Kept { Bytes = bytes.ToArray(), Text = Encoding.Latin1.GetString(bytes) };
        return ref kept;
    }

    private void Keep(string bytes, string text)
    {
        byte[] raw = Encoding.ASCII.GetBytes(bytes);
        // As a value it is what was sent.
        _kept[SlotOf(raw)] = new Kept { Bytes = raw, Text = bytes, NameText = text };
    }

    // By the length, the first and the last eight bytes (or what there is of them), mixed by a multiplication (Fibonacci hashing).
    private static int SlotOf(ReadOnlySpan<byte> bytes)
    {
        ulong mixed;
        if (bytes.Length >= sizeof(ulong))
        {
            mixed = BinaryPrimitives.ReadUInt64LittleEndian(bytes) ^ BitOperations.RotateLeft(BinaryPrimitives.ReadUInt64LittleEndian(bytes[^sizeof(ulong)..]), 23);
        }
        else
        {
            mixed = 0;
            foreach (byte b in bytes) mixed = (mixed << 8) | b;
        }
        mixed = (mixed + (ulong)bytes.Length) * 0x9E3779B97F4A7C15;
        return (int)(mixed >> (64 - SlotBits));
    }

    private enum NameKind : byte
    {
        Unknown,
        EndToEnd,
        HopByHop,
    }

    private struct Kept
    {
        public byte[] Bytes;
        public string Text;
        public string? NameText;
        public NameKind Name;
    }
}
