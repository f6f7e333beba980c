namespace Gateway.Core.Router;

/// <summary>The two hexadecimal digits of a percent-encoded octet (RFC 3986 section 2.1).</summary>
internal static class HexPair
{
    public static bool TryDecode(char high, char low, out byte value)
    {
        value = 0;
        if (!char.IsAsciiHexDigit(high) || !char.IsAsciiHexDigit(low)) return false;
        value = (byte)((Digit(high) << 4) | Digit(low));
        return true;
    }

    public static char Upper(char digit) => digit >= 'a' ? (char)(digit - 32) : digit;

    private static int Digit(char c) => c <= '9' ? c - '0' : (c | 0x20) - 'a' + 10;
}
