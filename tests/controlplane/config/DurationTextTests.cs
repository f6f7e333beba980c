using FsCheck;
using FsCheck.Fluent;
using Gateway.Config;
using Xunit;

namespace Gateway.ControlPlane.Tests.Configuration;

public sealed class DurationTextTests
{
    [Theory]
    [InlineData("0s", 0), InlineData("250ms", 250), InlineData("5s", 5000), InlineData("1h30m", 5_400_000), InlineData("1h1m1s1ms", 3_661_001)]
    [InlineData("99999h", 359_996_400_000), InlineData("30m1h", 5_400_000), InlineData("1s1s", 2000), InlineData("00005s", 5000)]
    public void LegalTexts_AreRead(string text, long milliseconds)
    {
        Assert.True(DurationText.TryParse(text, out TimeSpan duration));
        Assert.Equal(TimeSpan.FromMilliseconds(milliseconds), duration);
    }

    [Theory]
    [InlineData(""), InlineData("5"), InlineData("s"), InlineData("-5s"), InlineData("+5s"), InlineData("1.5s"), InlineData("5 s"), InlineData(" 5s"), InlineData("5s "), InlineData("100000s")]
    [InlineData("5S"), InlineData("1d"), InlineData("5us"), InlineData("1h1h1h1h1h"), InlineData("٥s"), InlineData("5sm"), InlineData("ms"), InlineData("5m5"), InlineData("000001s")]
    public void OtherTexts_AreNot(string text) => Assert.False(DurationText.TryParse(text, out _));

    [Fact]
    public void WhatIsFormatted_ReadsBackTheSame() => Prop.ForAll(
        Gen.Choose(0, 99_999).Zip(Gen.Choose(0, 3_599_999)).ToArbitrary(),
        static parts =>
        {
            TimeSpan duration = TimeSpan.FromHours(parts.Item1) + TimeSpan.FromMilliseconds(parts.Item2);
            return DurationText.TryParse(DurationText.Format(duration), out TimeSpan read) && read == duration;
        }).QuickCheckThrowOnFailure();

    [Fact]
    public void WhatNoTextCanSay_IsRefused()
    {
        Assert.Throws<ArgumentOutOfRangeException>(() => DurationText.Format(TimeSpan.FromSeconds(-1)));
        Assert.Throws<ArgumentOutOfRangeException>(() => DurationText.Format(TimeSpan.FromHours(100_000)));
    }

    [Theory]
    [InlineData("0", 0), InlineData("65536", 65536), InlineData("64Ki", 65536), InlineData("10Mi", 10 << 20), InlineData("1Gi", 1 << 30)]
    public void Sizes_AreRead(string text, long bytes)
    {
        Assert.True(ByteSize.TryParse(text, out ByteSize size));
        Assert.Equal(bytes, size.Bytes);
    }

    [Theory]
    [InlineData(""), InlineData("Ki"), InlineData("-1"), InlineData("+1"), InlineData("1.5Mi"), InlineData("8KB"), InlineData("8k"), InlineData(" 8"), InlineData("8 Ki"), InlineData("8589934592Gi"), InlineData("9223372036854775808"), InlineData("1,000")]
    public void OtherSizes_AreNot(string text) => Assert.False(ByteSize.TryParse(text, out _));

    [Fact]
    public void ASizesText_ReadsBackTheSame() => Prop.ForAll(
        Gen.Choose(0, int.MaxValue).Zip(Gen.Choose(0, 31)).ToArbitrary(),
        static parts => ByteSize.TryParse(new ByteSize((long)parts.Item1 << parts.Item2).ToString(), out ByteSize read) && read.Bytes == (long)parts.Item1 << parts.Item2).QuickCheckThrowOnFailure();
}
