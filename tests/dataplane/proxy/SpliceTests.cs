using Gateway.DataPlane.Transport;
using Gateway.TestKit;
using Xunit;

namespace Gateway.DataPlane.Tests.Proxy;

/// <summary>Bodies that go from socket to socket through a pipe of the kernel's: they arrive as they were, and nothing is left of them when somebody leaves.</summary>
public sealed class SpliceTests
{
    private static readonly byte[] Content = MakeBody(3_000_000);

    [Theory]
    [InlineData(32 * 1024 - 1)]
    [InlineData(32 * 1024 + 8 * 1024)]
    [InlineData(100_000)]
    [InlineData(3_000_000)]
    public async Task ABody_ArrivesAsItWas_AndTheConnectionsGoOn(int length)
    {
        await using RawOrigin origin = Origin(length);
        await using ProxyHost proxy = await ProxyHost.StartAsync(origin.Address);
        await using RawHttpClient client = await RawHttpClient.ConnectAsync(proxy.Address);
        for (int i = 0; i < 5; i++)
        {
            RawResponse response = await client.RequestAsync("GET /large HTTP/1.1\r\nHost: a\r\n\r\n");
            Assert.Equal(200, response.Status);
            Assert.True(Content.AsSpan(0, length).SequenceEqual(response.Body), $"{response.Body.Length} bytes that are not the origin's {length}");
        }
        Assert.Equal(1, origin.ConnectionCount);
        await Eventually.Until("the requests are recorded", () => proxy.RouteTotal() == 5);
        Assert.Equal(0, proxy.InFlight);
    }

    [Fact]
    public async Task AnUpstreamThatLeavesInTheMiddle_CutsTheClientOff_AndLeavesNoDescriptors()
    {
        await using RawOrigin origin = RawOrigin.Start(async connection =>
        {
            if (await connection.ReadHeadAsync() is null) return;
            await connection.SendAsync("HTTP/1.1 200 OK\r\nContent-Length: 3000000\r\n\r\n");
            await connection.SendAsync(Content.AsMemory(0, 200_000));
        });
        await using ProxyHost proxy = await ProxyHost.StartAsync(origin.Address);
        for (int i = 0; i < 20; i++)
        {
            await using RawHttpClient client = await RawHttpClient.ConnectAsync(proxy.Address);
            RawResponse response = await client.RequestAsync("GET /large HTTP/1.1\r\nHost: a\r\n\r\n");
            Assert.Equal((200, BodyEnd.Died), (response.Status, response.End));
            Assert.True(Content.AsSpan(0, response.Body.Length).SequenceEqual(response.Body), "what came is not the origin's");
        }
        await NothingIsLeftAsync(proxy);
    }

    [Fact]
    public async Task AClientThatLeavesInTheMiddle_EndsTheUpstream_AndLeavesNoDescriptors()
    {
        await using RawOrigin origin = Origin(Content.Length);
        await using ProxyHost proxy = await ProxyHost.StartAsync(origin.Address);
        for (int i = 0; i < 20; i++)
        {
            await using RawHttpClient client = await RawHttpClient.ConnectAsync(proxy.Address);
            await client.SendAsync("GET /large HTTP/1.1\r\nHost: a\r\n\r\n");
            Assert.Equal(200, (await client.ReadHeadAsync())!.Status);
        }
        await NothingIsLeftAsync(proxy);
    }

    [Fact]
    public async Task AClientThatTakesNothing_IsLeftAfterTheIdleTime()
    {
        await using RawOrigin origin = Origin(Content.Length);
        await using ProxyHost proxy = await ProxyHost.StartAsync(origin.Address, new ProxyOptions { Idle = TimeSpan.FromMilliseconds(300) });
        await using RawHttpClient client = await RawHttpClient.ConnectAsync(proxy.Address);
        await client.SendAsync(string.Concat(Enumerable.Repeat("GET /large HTTP/1.1\r\nHost: a\r\n\r\n", 4)));
        // More than both sockets hold: the gateway waits for the client, which reads nothing.
        await NothingIsLeftAsync(proxy);
    }

    private static async Task NothingIsLeftAsync(ProxyHost proxy)
    {
        await Eventually.Until("no request is in flight", () => proxy.InFlight == 0 && proxy.UpstreamInFlight == 0);
        if (ProxyHost.IsDirect) await Eventually.Until("no pipe has bytes in it", () => SplicePipe.InUse == 0);
        Assert.Empty(proxy.Log.Errors);
    }

    private static RawOrigin Origin(int length) => RawOrigin.Start(async connection =>
    {
        while (await connection.ReadHeadAsync() is not null)
        {
            await connection.SendAsync($"HTTP/1.1 200 OK\r\nContent-Length: {length}\r\n\r\n");
            await connection.SendAsync(Content.AsMemory(0, length));
        }
    });

    private static byte[] MakeBody(int length)
    {
        byte[] body = new byte[length];
        new Random(7).NextBytes(body);
        return body;
    }
}
