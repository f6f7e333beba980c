using System.Text;
using Gateway.DataPlane.Proxy.Http1;
using Xunit;

namespace Gateway.DataPlane.Tests.Proxy;

public sealed class UpstreamFieldBlockTests
{
    private readonly UpstreamFieldBlock _block = new();

    private void Offer(string text, int fields = 1, string protocol = "HTTP/1.1", string scheme = "http", string? peer = "192.0.2.1", bool trusted = false) =>
        _block.Offer(fields, protocol, scheme, peer, trusted, Encoding.Latin1.GetBytes(text));

    private string? Kept(int fields = 1, string protocol = "HTTP/1.1", string scheme = "http", string? peer = "192.0.2.1", bool trusted = false) =>
        _block.TryGet(fields, protocol, scheme, peer, trusted, out ReadOnlySpan<byte> block) ? Encoding.Latin1.GetString(block) : null;

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
    [InlineData(2, "HTTP/1.1", "http", "192.0.2.1", false)]
    [InlineData(1, "HTTP/1.0", "http", "192.0.2.1", false)]
    [InlineData(1, "HTTP/1.1", "https", "192.0.2.1", false)]
    [InlineData(1, "HTTP/1.1", "http", "192.0.2.2", false)]
    [InlineData(1, "HTTP/1.1", "http", null, false)]
    [InlineData(1, "HTTP/1.1", "http", "192.0.2.1", true)]
    public void ABlockOfAnotherRequest_IsNotServed_AndNeitherIsTheOldOneAfterIt(int fields, string protocol, string scheme, string? peer, bool trusted)
    {
        Offer("first");
        Offer("first");
        Assert.Null(Kept(fields, protocol, scheme, peer, trusted));
        Assert.Equal("first", Kept());
        Offer("second", fields, protocol, scheme, peer, trusted);
        Assert.Null(Kept(fields, protocol, scheme, peer, trusted));
        Assert.Null(Kept());
        Offer("second", fields, protocol, scheme, peer, trusted);
        Assert.Equal("second", Kept(fields, protocol, scheme, peer, trusted));
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
        _block.Offer(1, "HTTP/1.1", "http", "192.0.2.1", false, buffer);
        _block.Offer(1, "HTTP/1.1", "http", "192.0.2.1", false, buffer);
        buffer.AsSpan().Clear();
        Assert.Equal("first", Kept());
    }
}
