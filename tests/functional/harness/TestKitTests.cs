using System.Net;
using System.Net.WebSockets;
using Gateway.TestKit;
using Xunit;

namespace Gateway.Functional.Tests.Harness;

/// <summary>The instruments themselves, without a gateway between them: what they report about a good and a bad peer is right.</summary>
public sealed class TestKitTests
{
    [Fact]
    public async Task HttpOrigin_EchoesRawTargetHeadersAndBody()
    {
        await using HttpOrigin origin = await HttpOrigin.StartAsync("one");
        RawResponse response = await RawHttpClient.OnceAsync(origin.Uri, "POST /a%2Fb//c?x= HTTP/1.1\r\nHost: h\r\nX-Y: z\r\nContent-Length: 3\r\n\r\nabc");
        Assert.Equal((200, BodyEnd.Length), (response.Status, response.End));
        Echo echo = Echo.Parse(response.Text);
        Assert.Equal(("one", "POST", "/a%2Fb//c?x=", "abc", "z"), (echo.Origin, echo.Method, echo.Target, echo.Body, echo["x-y"]));
    }

    [Fact]
    public async Task RawHttpClient_TellsCleanEndFromDeath()
    {
        await using RawOrigin origin = RawOrigin.Start(async connection =>
        {
            string head = (await connection.ReadHeadAsync())!;
            await connection.SendAsync("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n");
            if (head.StartsWith("GET /whole ", StringComparison.Ordinal)) await connection.SendAsync("0\r\nX-T: v\r\n\r\n");
            else if (head.StartsWith("GET /reset ", StringComparison.Ordinal)) connection.Reset();
        });
        var address = new Uri($"http://{origin.Address}");
        RawResponse whole = await RawHttpClient.OnceAsync(address, "GET /whole HTTP/1.1\r\n\r\n");
        Assert.Equal((BodyEnd.LastChunk, "abc", "X-T"), (whole.End, whole.Text, whole.Trailers[0].Key));
        Assert.Equal(BodyEnd.Died, (await RawHttpClient.OnceAsync(address, "GET /cut HTTP/1.1\r\n\r\n")).End);
        Assert.Equal(BodyEnd.Died, (await RawHttpClient.OnceAsync(address, "GET /reset HTTP/1.1\r\n\r\n")).End);
    }

    [Fact]
    public async Task RawOrigin_SeesResetAndOrderlyClose()
    {
        await using RawOrigin origin = RawOrigin.Start(connection => connection.WaitForEndAsync());
        var address = new Uri($"http://{origin.Address}");
        await using (RawHttpClient first = await RawHttpClient.ConnectAsync(address)) await first.SendAsync("x");
        await Eventually.Until("the orderly close is seen", () => origin.ConnectionCount == 1 && origin.Connections[0].End == WireEnd.Closed);
        await using RawHttpClient second = await RawHttpClient.ConnectAsync(address);
        await second.SendAsync("y");
        await Eventually.Until("the second connection's byte", () => origin.ConnectionCount == 2 && origin.Connections[1].ReceivedText == "y");
        second.Reset();
        await Eventually.Until("the reset is seen", () => origin.ResetsSeen == 1);
    }

    [Fact]
    public async Task GrpcCall_RunsAllFourKinds()
    {
        await using HttpOrigin origin = await HttpOrigin.StartH2cAsync();
        using HttpMessageInvoker client = GrpcCall.Client();
        await using (GrpcCall unary = GrpcCall.Start(client, origin.Uri, "/test.Echo/Unary"))
        {
            await unary.WriteAsync("hello");
            unary.CompleteRequests();
            Assert.Equal("echo: hello", await unary.ReadAsync());
            Assert.Equal(0, (await unary.EndAsync()).Status);
        }
        await using (GrpcCall bidi = GrpcCall.Start(client, origin.Uri, "/test.Echo/Bidi"))
        {
            await bidi.WriteAsync("1");
            Assert.Equal("echo: 1", await bidi.ReadAsync());
            await bidi.WriteAsync("2");
            Assert.Equal("echo: 2", await bidi.ReadAsync());
            bidi.CompleteRequests();
            Assert.Equal(0, (await bidi.EndAsync()).Status);
        }
        await using GrpcCall none = GrpcCall.Start(client, origin.Uri, "/test.Echo/None");
        none.CompleteRequests();
        GrpcEnd end = await none.EndAsync();
        Assert.Equal((5, true), (end.Status!.Value, end.InHeaders));
    }

    [Theory]
    [InlineData("1.1")]
    [InlineData("2.0")]
    public async Task WebSocket_OpensOnBothVersions(string version)
    {
        await using HttpOrigin origin = version == "2.0" ? await HttpOrigin.StartH2cAsync() : await HttpOrigin.StartAsync();
        using ClientWebSocket socket = await H2Client.OpenWebSocketAsync(new Uri(origin.Uri, "/ws"), Version.Parse(version));
        Assert.Equal("hello", await socket.ExchangeAsync("hello"));
    }

    [Fact]
    public async Task TlsOrigin_RefusesClientsOfAnotherAuthority()
    {
        using var certificates = new TestCertificates();
        using var strangers = new TestCertificates();
        await using HttpOrigin origin = await HttpOrigin.StartAsync(new HttpOriginOptions
        {
            Certificate = certificates.Server("server", "127.0.0.1").Certificate,
            ClientCa = certificates.Ca,
        });
        using HttpClient good = H2Client.Http1(origin.Uri, certificates.Client("good").Certificate);
        Assert.Equal(HttpStatusCode.OK, (await good.GetAsync("/")).StatusCode);
        using HttpClient bad = H2Client.Http1(origin.Uri, strangers.Client("bad").Certificate);
        _ = await Assert.ThrowsAsync<HttpRequestException>(() => bad.GetAsync("/"));
    }

    [Fact]
    public void WithoutPostgres_TestsOfFleetsAreSkippedLoudly_AndFailInCi()
    {
        Assert.Null(PostgresServer.Skip(null, "true"));
        Assert.Equal("SKIPPED: NO FLEET WAS TESTED: initdb is not there", PostgresServer.Skip("initdb is not there", null));
        Assert.Contains("CI", Assert.Throws<InvalidOperationException>(() => PostgresServer.Skip("initdb is not there", "true")).Message, StringComparison.Ordinal);
    }
}
