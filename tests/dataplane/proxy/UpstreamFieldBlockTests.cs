using System.Text;
using Gateway.DataPlane.Proxy.Http1;
using Xunit;

namespace Gateway.DataPlane.Tests.Proxy;

public sealed class UpstreamFieldBlockTests
{
    private readonly UpstreamFieldBlock _block = new();

    private void Offer(string text, int fields = 1, string protocol = "HTTP/1.1", string scheme = "http", bool trusted = false) =>
        _block.Offer(fields, protocol, scheme, trusted, Encoding.Latin1.GetBytes(text));

    private string? Kept(int fields = 1, string protocol = "HTTP/1.1", string scheme = "http", bool trusted = false) =>
        _block.TryGet(fields, protocol, scheme, trusted, out ReadOnlySpan<byte> block) ? Encoding.Latin1.GetString(block) : null;

    [Fact]
    public void ABlock_IsKeptWhenItCameTwice()
    {
        Assert.Null(Kept());
        Offer("first");
        Assert.Null(Kept());
        Offer("first");
        Assert.Equal("first", Kept());
    }

    [Theory]
    [InlineData(2, "HTTP/1.1", "http", false)]
    [InlineData(1, "HTTP/1.0", "http", false)]
    [InlineData(1, "HTTP/1.1", "https", false)]
    [InlineData(1, "HTTP/1.1", "http", true)]
    public void ABlockOfAnotherRequest_IsNotServed_AndNeitherIsTheOldOneAfterIt(int fields, string protocol, string scheme, bool trusted)
    {
        Offer("first");
        Offer("first");
        Assert.Null(Kept(fields, protocol, scheme, trusted));
        Assert.Equal("first", Kept());
        Offer("second", fields, protocol, scheme, trusted);
        Assert.Null(Kept(fields, protocol, scheme, trusted));
        Assert.Null(Kept());
        Offer("second", fields, protocol, scheme, trusted);
        Assert.Equal("second", Kept(fields, protocol, scheme, trusted));
        Assert.Null(Kept());
    }

    [Theory]
    [InlineData(4096, true)]
    [InlineData(4097, false)]
    public void ALargeBlock_IsNotKept(int length, bool kept)
    {
        Offer(new string('x', length));
        Offer(new string('x', length));
        Assert.Equal(kept, Kept() is not null);
    }

    [Fact]
    public void WhatIsKept_IsACopy()
    {
        byte[] buffer = "first"u8.ToArray();
        _block.Offer(1, "HTTP/1.1", "http", false, buffer);
        _block.Offer(1, "HTTP/1.1", "http", false, buffer);
        buffer.AsSpan().Clear();
        Assert.Equal("first", Kept());
    }
}
