using System.Buffers;

namespace Gateway.DataPlane.Proxy;

/// <summary>What a header field may be made of (RFC 9110 sections 5.1 and 5.5).</summary>
internal static class FieldSyntax
{
    private static readonly SearchValues<char> TokenCharacters =
        SearchValues.Create("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789!#$%&'*+-.^_`|~");

    // Whatever Latin-1 has but controls; the tab is white space inside a value.
    private static readonly SearchValues<char> ValueCharacters =
        SearchValues.Create([.. Enumerable.Range(0, 256).Where(static c => c == '\t' || (c >= ' ' && c != 0x7F)).Select(static c => (char)c)]);

    /// <summary>Whether the text is a token.</summary>
    public static bool IsName(ReadOnlySpan<char> text) => !text.IsEmpty && !text.ContainsAnyExcept(TokenCharacters);

    public static bool IsValue(ReadOnlySpan<char> text) => !text.ContainsAnyExcept(ValueCharacters);
}
