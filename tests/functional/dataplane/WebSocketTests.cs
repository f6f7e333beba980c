using System.Net.WebSockets;
using System.Text;
using Gateway.Functional.Tests.Harness;
using Gateway.TestKit;
using Xunit;

namespace Gateway.Functional.Tests.DataPlane;

/// <summary>WebSockets over HTTP/1.1 and, by extended CONNECT (RFC 8441), over HTTP/2; and other upgrades as tunnels.</summary>
public sealed class WebSocketTests(Site site) : IClassFixture<Site>
{
    [Theory]
    [InlineData("1.1")]
    [InlineData("2.0")]
    public async Task Messages_GoBothWaysAndCloseIsPassed(string version)
    {
        using ClientWebSocket socket = await H2Client.OpenWebSocketAsync(new Uri(site.Web, "/ws"), Version.Parse(version), "h1.test", "chat");
        Assert.Equal("chat", socket.SubProtocol);
        for (int i = 0; i < 20; i++) Assert.Equal($"message {i}", await socket.ExchangeAsync($"message {i}"));
        string large = new('x', 300_000);
        Assert.Equal(large, await socket.ExchangeAsync(large));
        await socket.CloseAsync(WebSocketCloseStatus.NormalClosure, "done", new CancellationTokenSource(10_000).Token);
        Assert.Equal((WebSocketCloseStatus.NormalClosure, "done"), (socket.CloseStatus, socket.CloseStatusDescription));
    }

    [Fact]
    public async Task TwentyAtOnce_AreIndependent()
    {
        ClientWebSocket[] sockets = await Task.WhenAll(Enumerable.Range(0, 20).Select(i =>
            H2Client.OpenWebSocketAsync(new Uri(site.Web, "/ws"), new Version(i % 2 == 0 ? "1.1" : "2.0"), "h1.test")));
        string[] answers = await Task.WhenAll(sockets.Select((s, i) => s.ExchangeAsync($"{i}")));
        Assert.Equal(Enumerable.Range(0, 20).Select(i => $"{i}"), answers);
        foreach (ClientWebSocket socket in sockets) socket.Dispose();
    }

    [Theory]
    [InlineData("1.1")]
    [InlineData("2.0")]
    public async Task UpstreamThatRefusesTheUpgrade_AnswersLikeAnyRequest(string version)
    {
        await using RawOrigin origin = RawOrigin.Answering("HTTP/1.1 403 No\r\nContent-Length: 4\r\n\r\nnope");
        await using GatewayProcess gateway = await GatewayProcess.StartAsync(Doc.Proxy(origin.Address));
        WebSocketException refused = await Assert.ThrowsAsync<WebSocketException>(() => H2Client.OpenWebSocketAsync(gateway.Listener(), Version.Parse(version)));
        Assert.Contains("403", refused.Message);
    }

    [Theory]
    [InlineData("1.1")]
    [InlineData("2.0")]
    public async Task ClientGone_EndsTheTunnelUpstream(string version)
    {
        int inFlight = site.H1.InFlight;
        ClientWebSocket socket = await H2Client.OpenWebSocketAsync(new Uri(site.Web, "/ws"), Version.Parse(version), "h1.test");
        _ = await socket.ExchangeAsync("x");
        socket.Abort();
        socket.Dispose();
        await Eventually.Until("the upstream's side of the tunnel has ended", () => site.H1.InFlight <= inFlight);
    }

    [Theory]
    [InlineData("1.1")]
    [InlineData("2.0")]
    public async Task UpstreamGone_EndsTheTunnelForTheClient(string version)
    {
        await using HttpOrigin origin = await HttpOrigin.StartAsync();
        origin.Map("/dies", async http =>
        {
            using WebSocket inner = await http.WebSockets.AcceptWebSocketAsync();
            await origin.Gate("die").PassAsync();
            http.Abort();
        });
        await using GatewayProcess gateway = await GatewayProcess.StartAsync(Doc.Proxy(origin.Address));
        using ClientWebSocket socket = await H2Client.OpenWebSocketAsync(new Uri(gateway.Listener(), "/dies"), Version.Parse(version));
        Task<string> receiving = socket.ReceiveTextAsync();
        origin.Gate("die").Open();
        _ = await Assert.ThrowsAnyAsync<WebSocketException>(() => Eventually.Within("the end of the tunnel", receiving));
    }

    [Fact]
    public async Task OtherUpgrades_AreTunnels()
    {
        await using RawOrigin origin = RawOrigin.Start(async connection =>
        {
            string head = (await connection.ReadHeadAsync())!;
            Assert.Equal("foo/2", RawConnection.HeaderOf(head, "upgrade"));
            await connection.SendAsync("HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: foo/2\r\n\r\nhello ");
            byte[] got = await connection.ReadAsync(5);
            await connection.SendAsync(got);
            // The client's FIN passes through.
            Assert.Equal(WireEnd.Closed, await connection.WaitForEndAsync());
        });
        await using GatewayProcess gateway = await GatewayProcess.StartAsync(Doc.Proxy(origin.Address));
        await using RawHttpClient client = await RawHttpClient.ConnectAsync(gateway.Listener());
        await client.SendAsync(Doc.Get("/", headers: "Connection: Upgrade\r\nUpgrade: foo/2\r\n"));
        RawResponse switching = (await client.ReadHeadAsync())!;
        Assert.Equal((101, "foo/2"), (switching.Status, switching["upgrade"]));
        await client.SendAsync("12345");
        Assert.Equal("hello 12345", Encoding.Latin1.GetString(await client.ReadAsync(11)));
        client.HalfClose();
        Assert.Equal((WireEnd.Closed, ""), await client.ReadEndAsync());
        Assert.Null(origin.ScriptError);
    }

    [Fact]
    public async Task UnaskedSwitchingProtocols_Is502()
    {
        await using RawOrigin origin = RawOrigin.Answering("HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: evil\r\n\r\n");
        await using GatewayProcess gateway = await GatewayProcess.StartAsync(Doc.Proxy(origin.Address));
        Problem.Is(await RawHttpClient.OnceAsync(gateway.Listener(), Doc.Get()), 502, "upstream_protocol_error");
    }

    [Fact]
    public async Task BytesAfterAnUpgradeRequestThatWasNotAccepted_AreNotATunnel()
    {
        await using RawOrigin origin = RawOrigin.Answering("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok");
        await using GatewayProcess gateway = await GatewayProcess.StartAsync(Doc.Proxy(origin.Address));
        await using RawHttpClient client = await RawHttpClient.ConnectAsync(gateway.Listener());
        // CVE-2026-2833: a second request hidden behind the upgrade request must be routed as a request of its own.
        await client.SendAsync(Doc.Get("/one", headers: "Connection: Upgrade\r\nUpgrade: foo\r\n") + Doc.Get("/two"));
        Assert.Equal(200, (await client.ReadResponseAsync()).Status);
        try
        {
            RawResponse second = await client.ReadResponseAsync();
            Assert.Equal(200, second.Status);
            Assert.Contains("GET /two HTTP/1.1\r\n", origin.ReceivedText);
            Assert.Contains("via:", origin.ReceivedText.Split("GET /two")[1], StringComparison.OrdinalIgnoreCase);
        }
        catch (IOException)
        {
            Assert.DoesNotContain("/two", origin.ReceivedText);
        }
    }
}
