using System.Buffers.Binary;
using System.Text;

namespace Gateway.DataPlane.Obs;

/// <summary>
/// A request's id: the client's own, or two numbers, whose 32 hexadecimal digits are written where they are wanted. As a string they would
/// be all that a healthy request allocates.
/// </summary>
internal readonly struct RequestId : IUtf8SpanFormattable
{
    /// <summary>As long as the longest in use (Envoy's and Heroku's are UUIDs, AWS's trace ids have 74 characters), with room to spare.</summary>
    public const int MaxLength = 128;

    private const int Digits = 32;

    private readonly string? _given;
    private readonly ulong _high, _low;
    private readonly bool _made;

    /// <param name="given">ASCII, and not longer than <see cref="MaxLength"/>.</param>
    public RequestId(string given) => _given = given;

    public RequestId(ulong high, ulong low)
    {
        (_high, _low) = (high, low);
        _made = true;
    }

    /// <summary>Characters; 0 of a request that has none yet.</summary>
    public int Length => _made ? Digits : _given?.Length ?? 0;

    /// <summary>The id as a string, which is made anew each time unless it is the client's.</summary>
    public override string ToString()
    {
        if (!_made) return _given ?? "";
        Span<byte> bytes = stackalloc byte[Digits / 2];
        Fill(bytes);
        return Convert.ToHexStringLower(bytes);
    }

    /// <summary>False when there is no room for <see cref="Length"/> bytes.</summary>
    public bool TryFormat(Span<byte> utf8Destination, out int bytesWritten)
    {
        if (!_made) return Encoding.ASCII.TryGetBytes(_given, utf8Destination, out bytesWritten);
        Span<byte> bytes = stackalloc byte[Digits / 2];
        Fill(bytes);
        return Convert.TryToHexStringLower(bytes, utf8Destination, out bytesWritten);
    }

    bool IUtf8SpanFormattable.TryFormat(Span<byte> utf8Destination, out int bytesWritten, ReadOnlySpan<char> format, IFormatProvider? provider) =>
        TryFormat(utf8Destination, out bytesWritten);

    private void Fill(Span<byte> bytes)
    {
        BinaryPrimitives.WriteUInt64BigEndian(bytes, _high);
        BinaryPrimitives.WriteUInt64BigEndian(bytes[8..], _low);
    }
}
