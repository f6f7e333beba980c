using System.Net;
using Gateway.Config;
using Gateway.TestKit;
using Xunit;

namespace Gateway.DataPlane.Tests.Proxy;

public sealed class TimeoutTests
{
    private static readonly TimeSpan Short = TimeSpan.FromMilliseconds(300);

    private static RawOrigin Silent() => RawOrigin.Start(async connection =>
    {
        await connection.ReadHeadAsync();
        await connection.WaitForEndAsync();
    });

    [Fact]
    public async Task RequestTimeout_Returns504()
    {
        await using RawOrigin origin = Silent();
        await using ProxyHost proxy = await ProxyHost.StartAsync(origin.Address, new ProxyOptions { Request = Short });
        RawResponse response = await RawHttpClient.OnceAsync(proxy.Address, "GET / HTTP/1.1\r\nHost: a\r\n\r\n");
        Assert.Equal(504, response.Status);
        Assert.Contains("\"request_timeout\"", response.Text, StringComparison.Ordinal);
        await Eventually.Until("the upstream's connection is closed", () => origin.Connections[0].End != WireEnd.Open);
        await Eventually.Until("nothing is in flight any more", () => proxy.InFlight == 0);
    }

    [Fact]
    public async Task AttemptTimeout_Returns504()
    {
        await using RawOrigin origin = Silent();
        await using ProxyHost proxy = await ProxyHost.StartAsync(origin.Address, new ProxyOptions { Attempt = Short });
        RawResponse response = await RawHttpClient.OnceAsync(proxy.Address, "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\n\r\nx");
        Assert.Equal(504, response.Status);
        Assert.Contains("\"upstream_timeout\"", response.Text, StringComparison.Ordinal);
    }

    [Fact]
    public async Task AttemptTimeout_DoesNotCutTheBody()
    {
        await using HttpOrigin origin = await HttpOrigin.StartAsync();
        await using ProxyHost proxy = await ProxyHost.StartAsync(origin.Address, new ProxyOptions { Attempt = Short });
        Task<RawResponse> response = RawHttpClient.OnceAsync(proxy.Address, "GET /half?gate=g HTTP/1.1\r\nHost: a\r\n\r\n");
        await origin.Gate("g").WaitForArrivalAsync();
        await Task.Delay(Short * 2);
        origin.Gate("g").LetPass();
        Assert.Equal("first second", (await response).Text);
    }

    [Fact]
    public async Task AttemptTimeout_IsNotCountedWhileTheClientSends()
    {
        await using HttpOrigin origin = await HttpOrigin.StartAsync();
        await using ProxyHost proxy = await ProxyHost.StartAsync(origin.Address, new ProxyOptions { Attempt = Short });
        await using RawHttpClient client = await RawHttpClient.ConnectAsync(proxy.Address);
        await client.SendAsync("POST /sink HTTP/1.1\r\nHost: a\r\nContent-Length: 6\r\n\r\n");
        for (int i = 0; i < 6; i++)
        {
            await Task.Delay(Short / 3);
            await client.SendAsync("x");
        }
        Assert.Equal(200, (await client.ReadResponseAsync()).Status);
    }

    [Fact]
    public async Task RequestTimeout_AfterTheResponseStarted_CutsItOff()
    {
        await using HttpOrigin origin = await HttpOrigin.StartAsync();
        await using ProxyHost proxy = await ProxyHost.StartAsync(origin.Address, new ProxyOptions { Request = Short });
        RawResponse response = await RawHttpClient.OnceAsync(proxy.Address, "GET /half?gate=never HTTP/1.1\r\nHost: a\r\n\r\n");
        Assert.Equal((200, BodyEnd.Died), (response.Status, response.End));
        await Eventually.Until("the upstream sees it", () => origin.Aborted == 1);
    }

    [Fact]
    public async Task SilentUpstream_InsideTheBody_CutsTheResponseOff()
    {
        await using HttpOrigin origin = await HttpOrigin.StartAsync();
        await using ProxyHost proxy = await ProxyHost.StartAsync(origin.Address, new ProxyOptions { Idle = Short });
        RawResponse response = await RawHttpClient.OnceAsync(proxy.Address, "GET /half?gate=never HTTP/1.1\r\nHost: a\r\n\r\n");
        Assert.Equal((200, BodyEnd.Died), (response.Status, response.End));
    }

    [Fact]
    public async Task IdleTimeout_DoesNotCutABodyThatMoves()
    {
        await using HttpOrigin origin = await HttpOrigin.StartAsync();
        await using ProxyHost proxy = await ProxyHost.StartAsync(origin.Address, new ProxyOptions { Idle = Short });
        Task<RawResponse> response = RawHttpClient.OnceAsync(proxy.Address, "GET /sse?count=6&gate=g HTTP/1.1\r\nHost: a\r\n\r\n");
        for (int i = 0; i < 6; i++)
        {
            await Task.Delay(Short / 3);
            origin.Gate("g").LetPass();
        }
        Assert.True((await response).IsWhole);
    }

    [Fact]
    public async Task SilentClient_InsideItsBody_Returns408()
    {
        await using HttpOrigin origin = await HttpOrigin.StartAsync();
        await using ProxyHost proxy = await ProxyHost.StartAsync(origin.Address, new ProxyOptions { Idle = Short });
        RawResponse response = await RawHttpClient.OnceAsync(proxy.Address, "POST /sink HTTP/1.1\r\nHost: a\r\nContent-Length: 6\r\n\r\nabc");
        Assert.Equal(408, response.Status);
        Assert.Contains("\"client_timeout\"", response.Text, StringComparison.Ordinal);
        await Eventually.Until("the upstream sees it fail", () => origin.Aborted == 1);
        await Eventually.Until("nothing is in flight any more", () => proxy.InFlight == 0);
    }

    [Fact]
    public async Task ConnectionAfterATimeout_ServesOn_AndItsDeadlinesStartAnew()
    {
        await using RawOrigin origin = RawOrigin.Start(async connection =>
        {
            while (await connection.ReadHeadAsync() is { } head)
            {
                if (head.StartsWith("GET /slow", StringComparison.Ordinal)) await connection.WaitForEndAsync();
                else await connection.RespondAsync(200, "ok");
            }
        });
        await using ProxyHost proxy = await ProxyHost.StartAsync(origin.Address, new ProxyOptions { Request = Short });
        await using RawHttpClient client = await RawHttpClient.ConnectAsync(proxy.Address);
        for (int i = 0; i < 3; i++)
        {
            Assert.Equal(200, (await client.RequestAsync("GET / HTTP/1.1\r\nHost: a\r\n\r\n")).Status);
            Assert.Equal(504, (await client.RequestAsync("GET /slow HTTP/1.1\r\nHost: a\r\n\r\n")).Status);
        }
    }
}
