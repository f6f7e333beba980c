using System.Net;
using System.Net.WebSockets;
using System.Text;
using Gateway.Config;
using Gateway.TestKit;
using Microsoft.AspNetCore.Server.Kestrel.Core;
using Xunit;

namespace Gateway.DataPlane.Tests.Proxy;

public sealed class TunnelTests
{
    private const string Upgrade = "GET /chat HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: echo/1\r\n\r\n";

    private static RawOrigin Echoing(string protocol = "echo/1") => RawOrigin.Start(async connection =>
    {
        if (await connection.ReadHeadAsync() is null) return;
        await connection.SendAsync($"HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: {protocol}\r\nX-More: 1\r\n\r\n");
        while (await connection.ReadSomeAsync() is { Length: > 0 } bytes) await connection.SendAsync(bytes);
    });

    [Theory]
    [InlineData(false, false)]
    [InlineData(false, true)]
    [InlineData(true, false)]
    [InlineData(true, true)]
    public async Task WebSocket_GoesThrough_InEveryPairOfProtocols(bool http2Client, bool http2Upstream)
    {
        await using HttpOrigin origin = http2Upstream ? await HttpOrigin.StartH2cAsync() : await HttpOrigin.StartAsync();
        await using ProxyHost proxy = await ProxyHost.StartAsync(origin.Address, new ProxyOptions { Protocol = http2Upstream ? UpstreamProtocol.H2c : UpstreamProtocol.Http1 });
        using (ClientWebSocket socket = await H2Client.OpenWebSocketAsync(new Uri(http2Client ? proxy.Http2Address : proxy.Address, "/ws"), http2Client ? HttpVersion.Version20 : HttpVersion.Version11, protocol: "chat"))
        {
            Assert.Equal("chat", socket.SubProtocol);
            Assert.Equal("hello", await socket.ExchangeAsync("hello"));
            string large = new('x', 200_000);
            await socket.SendAsync(Encoding.UTF8.GetBytes(large), WebSocketMessageType.Text, true, CancellationToken.None);
            Assert.Equal(large, await socket.ReceiveTextAsync());
            Assert.Equal((1, 1), (proxy.InFlight, proxy.UpstreamInFlight));
            Assert.Equal(0, proxy.Snapshots.Current!.Leases.Held);
            using var deadline = new CancellationTokenSource(Eventually.DefaultDeadline);
            await socket.CloseAsync(WebSocketCloseStatus.NormalClosure, "bye", deadline.Token);
        }
        await Eventually.Until("nothing is in flight", () => proxy.InFlight == 0 && proxy.UpstreamInFlight == 0);
        await Eventually.Until("it is recorded", () => proxy.RouteTotal() == 1);
        Assert.Empty(proxy.Log.Errors);
    }

    [Fact]
    public async Task AnyUpgrade_BecomesATunnel()
    {
        await using RawOrigin origin = Echoing();
        await using ProxyHost proxy = await ProxyHost.StartAsync(origin.Address);
        await using RawHttpClient client = await RawHttpClient.ConnectAsync(proxy.Address);
        await client.SendAsync(Upgrade);
        RawResponse response = (await client.ReadHeadAsync())!;
        Assert.Equal((101, "echo/1", "Upgrade", "1"), (response.Status, response["upgrade"], response["connection"], response["x-more"]));
        await client.SendAsync("ping");
        Assert.Equal("ping"u8.ToArray(), await client.ReadAsync(4));
        Assert.Contains("Upgrade: echo/1\r\n", origin.ReceivedText, StringComparison.Ordinal);
    }

    [Fact]
    public async Task UpstreamThatEndsTheTunnel_EndsItForTheClient()
    {
        var end = new Gate("end");
        await using RawOrigin origin = RawOrigin.Start(async connection =>
        {
            await connection.ReadHeadAsync();
            await connection.SendAsync("HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: echo/1\r\n\r\nlast words");
            await end.PassAsync(connection.Stopped);
        });
        await using ProxyHost proxy = await ProxyHost.StartAsync(origin.Address);
        await using RawHttpClient client = await RawHttpClient.ConnectAsync(proxy.Address);
        await client.SendAsync(Upgrade);
        await client.ReadHeadAsync();
        end.LetPass();
        Assert.Equal("last words", (await client.ReadEndAsync()).Remainder);
        await Eventually.Until("nothing is in flight", () => proxy.InFlight == 0 && proxy.UpstreamInFlight == 0);
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task ClientThatEndsTheTunnel_EndsItForTheUpstream(bool reset)
    {
        await using RawOrigin origin = Echoing();
        await using ProxyHost proxy = await ProxyHost.StartAsync(origin.Address);
        await using (RawHttpClient client = await RawHttpClient.ConnectAsync(proxy.Address))
        {
            await client.SendAsync(Upgrade);
            await client.ReadHeadAsync();
            if (reset) client.Reset();
        }
        await Eventually.Until("the upstream's connection has ended", () => origin.Connections[0].End != WireEnd.Open);
        await Eventually.Until("nothing is in flight", () => proxy.InFlight == 0 && proxy.UpstreamInFlight == 0);
        Assert.Empty(proxy.Log.Errors);
    }

    [Fact]
    public async Task SilentTunnel_IsClosedAfterTheIdleTimeout_ButNotByTheRequestTimeout()
    {
        await using RawOrigin origin = Echoing();
        await using ProxyHost proxy = await ProxyHost.StartAsync(origin.Address, new ProxyOptions { Idle = TimeSpan.FromMilliseconds(400), Request = TimeSpan.FromMilliseconds(300) });
        await using RawHttpClient client = await RawHttpClient.ConnectAsync(proxy.Address);
        await client.SendAsync(Upgrade);
        await client.ReadHeadAsync();
        for (int i = 0; i < 5; i++)
        {
            await Task.Delay(100);
            await client.SendAsync("x");
            Assert.Equal("x"u8.ToArray(), await client.ReadAsync(1));
        }
        await client.ReadEndAsync();
        await Eventually.Until("nothing is in flight", () => proxy.InFlight == 0 && proxy.UpstreamInFlight == 0);
    }

    [Fact]
    public async Task RefusedUpgrade_IsANormalResponse()
    {
        await using RawOrigin origin = RawOrigin.Answering("HTTP/1.1 403 Forbidden\r\nContent-Length: 2\r\n\r\nno");
        await using ProxyHost proxy = await ProxyHost.StartAsync(origin.Address);
        await using RawHttpClient client = await RawHttpClient.ConnectAsync(proxy.Address);
        RawResponse response = await client.RequestAsync(Upgrade);
        Assert.Equal((403, "no"), (response.Status, response.Text));
        Assert.Equal((403, "no"), ((await client.RequestAsync(Upgrade)).Status, "no"));
    }

    [Fact]
    public async Task SwitchToAnotherProtocolThanAsked_Returns502()
    {
        await using RawOrigin origin = Echoing("other");
        await using ProxyHost proxy = await ProxyHost.StartAsync(origin.Address);
        Assert.Equal(502, (await RawHttpClient.OnceAsync(proxy.Address, Upgrade)).Status);
        await Eventually.Until("nothing is in flight any more", () => proxy.InFlight == 0);
    }

    [Fact]
    public async Task WebSocketKeyThatIsNotAnswered_IsNotAccepted()
    {
        await using RawOrigin origin = RawOrigin.Answering("HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Accept: wrong\r\n\r\n");
        await using ProxyHost proxy = await ProxyHost.StartAsync(origin.Address);
        await Assert.ThrowsAsync<WebSocketException>(() => H2Client.OpenWebSocketAsync(new Uri(proxy.Http2Address, "/ws"), HttpVersion.Version20));
        await Eventually.Until("nothing is in flight any more", () => proxy.InFlight == 0);
    }

    [Fact]
    public async Task H2cUpgrade_IsAnsweredInHttp11()
    {
        await using HttpOrigin origin = await HttpOrigin.StartAsync();
        await using ProxyHost proxy = await ProxyHost.StartAsync(origin.Address);
        RawResponse response = await RawHttpClient.OnceAsync(proxy.Address, "GET / HTTP/1.1\r\nHost: a\r\nConnection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABkAARAAAAAAAIAAAAA\r\n\r\n");
        Assert.Equal(200, response.Status);
        Assert.Null(Echo.Parse(response.Text)["upgrade"]);
    }

    [Fact]
    public async Task PipelinedBytesAfterAnUpgradeRequest_AreTheTunnels()
    {
        await using RawOrigin origin = Echoing();
        await using ProxyHost proxy = await ProxyHost.StartAsync(origin.Address);
        await using RawHttpClient client = await RawHttpClient.ConnectAsync(proxy.Address);
        await client.SendAsync(Upgrade + "early");
        Assert.Equal(101, (await client.ReadHeadAsync())!.Status);
        Assert.Equal("early"u8.ToArray(), await client.ReadAsync(5));
    }
}
