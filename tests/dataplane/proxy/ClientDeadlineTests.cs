using Gateway.DataPlane.Proxy;
using Gateway.TestKit;
using Xunit;

namespace Gateway.DataPlane.Tests.Proxy;

public sealed class ClientDeadlineTests
{
    private static readonly TimeSpan Hour = TimeSpan.FromHours(1);

    [Theory]
    [InlineData("grpc-timeout", "100m", 100)]
    [InlineData("grpc-timeout", "1S", 1000)]
    [InlineData("grpc-timeout", "2M", 120_000)]
    [InlineData("grpc-timeout", "99999999H", 99_999_999 * 3_600_000.0)]
    [InlineData("grpc-timeout", "1500u", 1.5)]
    [InlineData("grpc-timeout", "1000000n", 1)]
    [InlineData("x-timeout", "250", 250)]
    [InlineData("x-timeout", "1s500ms", 1500)]
    public void TheField_IsReadInItsForm(string field, string value, double milliseconds)
    {
        ClientDeadline deadline = ClientDeadline.Read(field, value, Hour);
        Assert.Equal(field, deadline.Field);
        Assert.Equal(milliseconds, deadline.Time.TotalMilliseconds);
        Assert.Equal(milliseconds < Hour.TotalMilliseconds, deadline.IsNearest);
    }

    [Theory]
    [InlineData("grpc-timeout", "")]
    [InlineData("grpc-timeout", "m")]
    [InlineData("grpc-timeout", "100")]
    [InlineData("grpc-timeout", "100000000m")]
    [InlineData("grpc-timeout", "-1m")]
    [InlineData("grpc-timeout", "1s")]
    [InlineData("x-timeout", "")]
    [InlineData("x-timeout", "-5")]
    [InlineData("x-timeout", "soon")]
    [InlineData("x-timeout", "99999999999")]
    public void WhatCannotBeRead_IsLeftAlone(string field, string value) => Assert.Null(ClientDeadline.Read(field, value, Hour).Field);

    [Theory]
    [InlineData("grpc-timeout", "100m", 40, "60000u")]
    [InlineData("grpc-timeout", "1H", 0, "3600000m")]
    [InlineData("grpc-timeout", "99999999M", 0, "99999999S")]
    [InlineData("grpc-timeout", "1m", 5, "1u")]
    [InlineData("x-timeout", "250", 100, "150")]
    [InlineData("x-timeout", "250", 300, "1")]
    [InlineData("x-timeout", "2s", 500, "1s500ms")]
    public void WhatIsLeft_IsWrittenInTheSameForm(string field, string value, int elapsed, string left) =>
        Assert.Equal(left, ClientDeadline.Read(field, value, TimeSpan.MaxValue).Write(TimeSpan.FromMilliseconds(elapsed), new char[ClientDeadline.MostCharacters]).ToString());

    [Fact]
    public void TheRoutesTimeIsNearer_AtTheSameLength() => Assert.False(ClientDeadline.Read("x", "1000", TimeSpan.FromSeconds(1)).IsNearest);

    [Fact]
    public async Task ADeadline_IsHonoured_AndPassedOnReduced()
    {
        await using HttpOrigin origin = await HttpOrigin.StartAsync();
        await using ProxyHost proxy = await ProxyHost.StartAsync(origin.Address, new ProxyOptions { Attempts = ProxyOptions.Plan(1, deadlineHeader: "x-timeout") });
        await using RawHttpClient client = await RawHttpClient.ConnectAsync(proxy.Address);
        // More than once, and with another value in between: what is kept of a request's fields must not keep this one.
        foreach (int said in new[] { 5000, 5000, 5000, 4000, 4000 })
        {
            await client.SendAsync($"GET / HTTP/1.1\r\nHost: a\r\nX-Timeout: {said}\r\n\r\n");
            Assert.Equal(200, (await client.ReadResponseAsync()).Status);
            Assert.InRange(int.Parse(origin.LastRequest["x-timeout"]!, System.Globalization.CultureInfo.InvariantCulture), said - 900, said);
        }
        await client.SendAsync("GET /hold?gate=never HTTP/1.1\r\nHost: a\r\nX-Timeout: 100ms\r\n\r\n");
        RawResponse late = await client.ReadResponseAsync();
        Assert.Equal(504, late.Status);
        Assert.Contains("\"request_timeout\"", late.Text, StringComparison.Ordinal);
    }

    [Fact]
    public async Task WithoutTheRoutesWord_TheFieldMeansNothing()
    {
        await using HttpOrigin origin = await HttpOrigin.StartAsync();
        await using ProxyHost proxy = await ProxyHost.StartAsync(origin.Address);
        RawResponse response = await RawHttpClient.OnceAsync(proxy.Address, "GET / HTTP/1.1\r\nHost: a\r\nX-Timeout: 1\r\ngrpc-timeout: 1n\r\n\r\n");
        Assert.Equal(200, response.Status);
        Assert.Equal(("1", "1n"), (origin.LastRequest["x-timeout"], origin.LastRequest["grpc-timeout"]));
    }

    [Fact]
    public async Task ALongerDeadlineThanTheRoutes_LengthensNothing()
    {
        await using HttpOrigin origin = await HttpOrigin.StartAsync();
        ProxyOptions options = new() { Request = TimeSpan.FromMilliseconds(100), Attempts = ProxyOptions.Plan(1, deadlineHeader: "x-timeout") };
        await using ProxyHost proxy = await ProxyHost.StartAsync(origin.Address, options);
        RawResponse response = await RawHttpClient.OnceAsync(proxy.Address, "GET /hold?gate=never HTTP/1.1\r\nHost: a\r\nX-Timeout: 60000\r\n\r\n");
        Assert.Equal(504, response.Status);
    }
}
