using System.Buffers;
using System.Buffers.Text;
using System.Globalization;
using System.Security.Cryptography;
using System.Text;

namespace Gateway.Config.Canonical;

/// <summary>How a secret that stands in the document itself is written. A reference is always written as it is.</summary>
internal enum SecretForm
{
    /// <summary>As its SHA-256: tells two apart, so a version changes with it.</summary>
    Digest,

    /// <summary>As <c>***</c>.</summary>
    Hidden,
}

/// <summary>
/// Minified JSON with rules of its own rather than a library's, which may change: of characters only <c>"</c>, <c>\</c> and those below
/// U+0020 are escaped, the latter as <c>\u00xx</c> in lower case.
/// </summary>
internal sealed class CanonicalWriter(SecretForm secrets, bool withDefaults, IncrementalHash? hash = null)
{
    private static readonly SearchValues<char> Escaped = SearchValues.Create([.. Enumerable.Range(0, 0x20).Select(c => (char)c), '"', '\\']);

    private const int HashedAtOnce = 32 << 10;
    private byte[] _buffer = new byte[hash is null ? 4 << 10 : HashedAtOnce + (4 << 10)];
    private int _length;
    private bool _first = true;

    public bool WithDefaults => withDefaults;

    /// <summary>What was written; with a hash, what it has not seen yet.</summary>
    public ReadOnlySpan<byte> Written => _buffer.AsSpan(0, _length);

    public void BeginObject() => Begin((byte)'{');

    public void EndObject() => End((byte)'}');

    public void BeginList() => Begin((byte)'[');

    public void EndList() => End((byte)']');

    private void Begin(byte bracket)
    {
        Reserve(1)[0] = bracket;
        _length++;
        _first = true;
    }

    private void End(byte bracket)
    {
        Reserve(1)[0] = bracket;
        _length++;
        _first = false;
    }

    /// <summary>The comma before an item or a name, when it is not the first.</summary>
    public void NextItem()
    {
        if (!_first) Raw(","u8);
        _first = false;
    }

    /// <param name="name">A name that needs no escape.</param>
    public void Name(ReadOnlySpan<byte> name)
    {
        NextItem();
        Span<byte> to = Reserve(name.Length + 3);
        to[0] = (byte)'"';
        name.CopyTo(to[1..]);
        to[name.Length + 1] = (byte)'"';
        to[name.Length + 2] = (byte)':';
        _length += name.Length + 3;
    }

    public void Name(string name)
    {
        NextItem();
        Text(name);
        Raw(":"u8);
    }

    public void Null() => Raw("null"u8);

    public void Number(long value)
    {
        Utf8Formatter.TryFormat(value, Reserve(20), out int written);
        _length += written;
    }

    /// <summary>The shortest digits that read back as the same number.</summary>
    public void Number(double value)
    {
        // -0 and 0 are one number.
        (value == 0 ? 0d : value).TryFormat(Reserve(32), out int written, "R", CultureInfo.InvariantCulture);
        _length += written;
    }

    public void Secret(Secret value) => Text(value.Reference ?? (secrets == SecretForm.Hidden
        ? "***" : "sha256:" + Convert.ToHexStringLower(SHA256.HashData(Encoding.UTF8.GetBytes(value.Value ?? "")))));

    public void Text(string value)
    {
        // Three bytes per character at most, six when escaped.
        Span<byte> to = Reserve(value.Length * 6 + 2);
        int at = 0;
        to[at++] = (byte)'"';
        ReadOnlySpan<char> rest = value;
        while (true)
        {
            int plain = rest.IndexOfAny(Escaped);
            at += Encoding.UTF8.GetBytes(plain < 0 ? rest : rest[..plain], to[at..]);
            if (plain < 0) break;
            at += Escape(rest[plain], to[at..]);
            rest = rest[(plain + 1)..];
        }
        to[at++] = (byte)'"';
        _length += at;
    }

    private static int Escape(char c, Span<byte> to)
    {
        if (c is '"' or '\\')
        {
            to[0] = (byte)'\\';
            to[1] = (byte)c;
            return 2;
        }
        "\\u00"u8.CopyTo(to);
        to[4] = (byte)(c < 16 ? '0' : '1');
        to[5] = "0123456789abcdef"u8[c & 15];
        return 6;
    }

    public void Raw(ReadOnlySpan<byte> utf8)
    {
        utf8.CopyTo(Reserve(utf8.Length));
        _length += utf8.Length;
    }

    private Span<byte> Reserve(int bytes)
    {
        if (hash is not null && _length >= HashedAtOnce)
        {
            hash.AppendData(_buffer, 0, _length);
            _length = 0;
        }
        if (_buffer.Length - _length < bytes) Array.Resize(ref _buffer, Math.Max(_buffer.Length * 2, _length + bytes));
        return _buffer.AsSpan(_length);
    }
}
