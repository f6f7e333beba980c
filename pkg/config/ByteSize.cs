namespace Gateway.Config;

/// <summary>A number of bytes; a document writes it as a plain number or with a binary suffix: <c>65536</c>, <c>64Ki</c>, <c>10Mi</c>, <c>1Gi</c>.</summary>
public readonly record struct ByteSize(long Bytes)
{
    public static ByteSize KiB(long n) => new(n << 10);
    public static ByteSize MiB(long n) => new(n << 20);

    /// <summary>Reads the text form. False for anything else, a negative number or an overflow.</summary>
    public static bool TryParse(ReadOnlySpan<char> text, out ByteSize size)
    {
        size = default;
        int shift = 0;
        if (text.EndsWith("Ki", StringComparison.Ordinal)) shift = 10;
        else if (text.EndsWith("Mi", StringComparison.Ordinal)) shift = 20;
        else if (text.EndsWith("Gi", StringComparison.Ordinal)) shift = 30;
        if (shift != 0) text = text[..^2];
        if (!long.TryParse(text, System.Globalization.NumberStyles.None, System.Globalization.CultureInfo.InvariantCulture, out long n) || n > long.MaxValue >> shift)
            return false;
        size = new ByteSize(n << shift);
        return true;
    }

    /// <summary>The shortest exact text form.</summary>
    public override string ToString() =>
        Bytes == 0 ? "0"
        : Bytes % (1L << 30) == 0 ? $"{Bytes >> 30}Gi"
        : Bytes % (1L << 20) == 0 ? $"{Bytes >> 20}Mi"
        : Bytes % (1L << 10) == 0 ? $"{Bytes >> 10}Ki"
        : Bytes.ToString(System.Globalization.CultureInfo.InvariantCulture);
}
