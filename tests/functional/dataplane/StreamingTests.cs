using System.Diagnostics;
using System.Net;
using System.Security.Cryptography;
using Gateway.Functional.Tests.Harness;
using Gateway.TestKit;
using Xunit;

namespace Gateway.Functional.Tests.DataPlane;

/// <summary>Bodies stream both ways as they come; an end is clean only when the upstream's was.</summary>
public sealed class StreamingTests(Site site) : IClassFixture<Site>
{
    [Theory]
    [InlineData("h1.test", "1.1")]
    [InlineData("h1.test", "2.0")]
    [InlineData("h2c.test", "1.1")]
    [InlineData("h2c.test", "2.0")]
    public async Task ServerSentEvents_ArriveOneByOneAsTheyAreSent(string host, string version)
    {
        string gate = $"sse-{host}-{version}";
        using HttpRequestMessage request = H2Client.Request(version, HttpMethod.Get, $"/sse?count=3&gate={gate}", host);
        using HttpResponseMessage response = await Eventually.Within("the head of the event stream, before any event",
            (version == "2.0" ? site.Http2 : site.Http1).SendAsync(request, HttpCompletionOption.ResponseHeadersRead));
        Assert.Equal("text/event-stream", response.Content.Headers.ContentType?.MediaType);
        await using Stream events = await response.Content.ReadAsStreamAsync();
        using var reader = new StreamReader(events);
        for (int i = 1; i <= 3; i++)
        {
            site.OriginOf(host).Gate(gate).LetPass();
            Assert.Equal($"data: {i}", await Eventually.Within($"event {i}", reader.ReadLineAsync()));
            _ = await reader.ReadLineAsync();
        }
        Assert.Null(await Eventually.Within("the end of the stream", reader.ReadLineAsync()));
    }

    [Theory]
    [InlineData("h1.test")]
    [InlineData("h2c.test")]
    public async Task RequestBody_ReachesTheUpstreamWhileItIsSent(string host)
    {
        HttpOrigin origin = site.OriginOf(host);
        int before = origin.InFlight;
        using var request = new HttpRequestMessage(HttpMethod.Post, "/sink") { Headers = { Host = host }, Content = new StreamedContent() };
        var body = (StreamedContent)request.Content;
        Task<HttpResponseMessage> sending = site.Http1.SendAsync(request);
        await body.WriteAsync("part one "u8.ToArray());
        await Eventually.Until("the upstream has the request while its body is open", () => origin.InFlight > before);
        Assert.False(sending.IsCompleted);
        await body.WriteAsync("part two"u8.ToArray());
        body.Complete();
        using HttpResponseMessage response = await Eventually.Within("the response", sending);
        Assert.Equal($"17 {Convert.ToHexStringLower(SHA256.HashData("part one part two"u8))}", await response.Content.ReadAsStringAsync());
    }

    [Theory]
    [InlineData("h1.test", "1.1")]
    [InlineData("h1.test", "2.0")]
    [InlineData("h2c.test", "1.1")]
    [InlineData("h2c.test", "2.0")]
    public async Task MegabytesBothWays_ArriveExactly(string host, string version)
    {
        HttpClient client = version == "2.0" ? site.Http2 : site.Http1;
        byte[] data = new byte[9 << 20];
        new Random(7).NextBytes(data);
        using HttpRequestMessage upload = H2Client.Request(version, HttpMethod.Post, "/sink", host, new ByteArrayContent(data));
        using HttpResponseMessage stored = await client.SendAsync(upload);
        Assert.Equal($"{data.Length} {Convert.ToHexStringLower(SHA256.HashData(data))}", await stored.Content.ReadAsStringAsync());
        foreach (string query in (string[])["", "?chunked=1"])
        {
            using HttpRequestMessage download = H2Client.Request(version, HttpMethod.Get, "/bytes/9000000" + query, host);
            using HttpResponseMessage response = await client.SendAsync(download);
            if (query.Length == 0) Assert.Equal(9000000, response.Content.Headers.ContentLength);
            byte[] body = await response.Content.ReadAsByteArrayAsync();
            Assert.Equal(9000000, body.Length);
            Assert.All(body.Chunk(1 << 16).Take(100), chunk => Assert.Equal((byte)'0', chunk[0]));
        }
    }

    [Theory]
    [InlineData("h1.test", "1.1")]
    [InlineData("h1.test", "2.0")]
    [InlineData("h2c.test", "1.1")]
    [InlineData("h2c.test", "2.0")]
    public async Task ClientCancel_ReachesTheUpstreamAtOnce(string host, string version)
    {
        HttpOrigin origin = site.OriginOf(host);
        string gate = $"cancel-{host}-{version}";
        int aborted = origin.Aborted;
        using var cancel = new CancellationTokenSource();
        using HttpRequestMessage request = H2Client.Request(version, HttpMethod.Get, $"/hold?gate={gate}", host);
        Task<HttpResponseMessage> sending = (version == "2.0" ? site.Http2 : site.Http1).SendAsync(request, cancel.Token);
        await origin.Gate(gate).WaitForArrivalAsync();
        long start = Stopwatch.GetTimestamp();
        await cancel.CancelAsync();
        _ = await Assert.ThrowsAnyAsync<OperationCanceledException>(() => sending);
        await Eventually.Until("the upstream sees the cancel", () => origin.Aborted > aborted, TimeSpan.FromSeconds(5));
        Assert.True(Stopwatch.GetElapsedTime(start) < TimeSpan.FromSeconds(3));
    }

    [Fact]
    public async Task ClientResetDuringTheDownload_StopsTheUpstream()
    {
        bool stopped = false;
        await using RawOrigin origin = RawOrigin.Start(async connection =>
        {
            _ = await connection.ReadHeadAsync();
            await connection.SendAsync("HTTP/1.1 200 OK\r\nContent-Length: 2000000000\r\n\r\n");
            try
            {
                for (int i = 0; i < 20_000; i++) await connection.SendAsync(new byte[100_000]);
            }
            catch (IOException)
            {
                Volatile.Write(ref stopped, true);
            }
        });
        await using GatewayProcess gateway = await GatewayProcess.StartAsync(Doc.Proxy(origin.Address));
        await using RawHttpClient client = await RawHttpClient.ConnectAsync(gateway.Listener());
        await client.SendAsync(Doc.Get());
        Assert.Equal(200, (await client.ReadHeadAsync())!.Status);
        client.Reset();
        await Eventually.Until("the upstream's download is cut off", () => Volatile.Read(ref stopped));
    }

    [Fact]
    public async Task ClientGoneDuringTheUpload_IsNeverACleanEndUpstream()
    {
        await using RawOrigin origin = RawOrigin.Start(async connection =>
        {
            _ = await connection.ReadHeadAsync();
            _ = await connection.WaitForEndAsync();
        });
        await using GatewayProcess gateway = await GatewayProcess.StartAsync(Doc.Proxy(origin.Address));
        foreach (bool reset in (bool[])[true, false])
        {
            int before = origin.ConnectionCount;
            RawHttpClient client = await RawHttpClient.ConnectAsync(gateway.Listener());
            await client.SendAsync("POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n");
            await Eventually.Until("the upstream has the chunk", () => origin.ConnectionCount > before && origin.Connections[^1].ReceivedText.Contains("hello"));
            if (reset) client.Reset();
            await client.DisposeAsync();
            await Eventually.Until("the upstream connection ends", () => origin.Connections[^1].End != WireEnd.Open);
            Assert.DoesNotContain("\r\n0\r\n", origin.Connections[^1].ReceivedText);
        }
    }

    [Theory]
    [InlineData("Content-Length: 100\r\n\r\npartial", "", true)]
    [InlineData("Content-Length: 100\r\n\r\npartial", "", false)]
    [InlineData("Transfer-Encoding: chunked\r\n\r\n7\r\npartial\r\n", "", true)]
    [InlineData("Transfer-Encoding: chunked\r\n\r\n7\r\npartial\r\n", "", false)]
    [InlineData("Transfer-Encoding: chunked\r\n\r\n7\r\npartial\r\n", "zz\r\n", false)]
    [InlineData("Transfer-Encoding: chunked\r\n\r\n7\r\npartial\r\n", "5\r\nab", false)]
    public async Task UpstreamDyingMidBody_AbortsTheClientsStream(string response, string lastWords, bool reset)
    {
        var die = new Gate("the client has the first bytes");
        await using RawOrigin origin = RawOrigin.Start(async connection =>
        {
            _ = await connection.ReadHeadAsync();
            await connection.SendAsync("HTTP/1.1 200 OK\r\n" + response);
            await die.PassAsync(connection.Stopped);
            await connection.SendAsync(lastWords);
            if (reset) connection.Reset();
        });
        await using GatewayProcess gateway = await GatewayProcess.StartAsync(Doc.Proxy(origin.Address));
        await using RawHttpClient client = await RawHttpClient.ConnectAsync(gateway.Listener());
        await client.SendAsync(Doc.Get());
        RawResponse got = (await client.ReadHeadAsync())!;
        using HttpClient h2 = H2Client.Http2(gateway.Listener());
        using HttpResponseMessage second = await h2.GetAsync("/", HttpCompletionOption.ResponseHeadersRead);
        die.Open();
        await client.ReadBodyAsync(got);
        Assert.Equal((200, BodyEnd.Died), (got.Status, got.End));
        _ = await Assert.ThrowsAnyAsync<Exception>(() => second.Content.ReadAsByteArrayAsync());
    }

    [Theory]
    [InlineData("1.1")]
    [InlineData("2.0")]
    public async Task Http2UpstreamDyingMidBody_AbortsTheClientsStream(string version)
    {
        string gate = $"abort-{version}";
        using HttpRequestMessage request = H2Client.Request(version, HttpMethod.Get, $"/abort?after=10&gate={gate}", "h2c.test");
        HttpClient client = version == "2.0" ? site.Http2 : site.Http1;
        using HttpResponseMessage response = await client.SendAsync(request, HttpCompletionOption.ResponseHeadersRead);
        site.H2c.Gate(gate).Open();
        _ = await Assert.ThrowsAnyAsync<Exception>(() => response.Content.ReadAsByteArrayAsync());
    }

    [Fact]
    public async Task CloseDelimitedBody_EndsCleanlyForTheClient()
    {
        await using RawOrigin origin = RawOrigin.Start(async connection =>
        {
            _ = await connection.ReadHeadAsync();
            await connection.SendAsync("HTTP/1.1 200 OK\r\n\r\nto the end");
        });
        await using GatewayProcess gateway = await GatewayProcess.StartAsync(Doc.Proxy(origin.Address));
        RawResponse got = await RawHttpClient.OnceAsync(gateway.Listener(), Doc.Get());
        Assert.Equal(("to the end", true), (got.Text, got.IsWhole));
    }

    [Theory]
    [InlineData("", "upstream_reset")]
    [InlineData("HTTP/1.1 200 OK\r\nContent-Le", "upstream_reset")]
    [InlineData("garbage\r\n\r\n", "upstream_protocol_error")]
    [InlineData("HTTP/1.1 200 OK\r\nContent-Length: abc\r\n\r\n", "upstream_protocol_error")]
    [InlineData("HTTP/1.1 200 OK\r\nContent-Length: 3\r\nContent-Length: 4\r\n\r\nabc", "upstream_protocol_error")]
    [InlineData("HTTP/1.1 200 OK\r\nno colon here\r\n\r\n", "upstream_protocol_error")]
    public async Task UpstreamThatAnswersWrongly_Is502(string answer, string category)
    {
        await using RawOrigin origin = RawOrigin.Start(async connection =>
        {
            _ = await connection.ReadHeadAsync();
            if (answer.Length > 0) await connection.SendAsync(answer);
        });
        await using GatewayProcess gateway = await GatewayProcess.StartAsync(Doc.Proxy(origin.Address));
        Problem.Is(await RawHttpClient.OnceAsync(gateway.Listener(), Doc.Post("/", "body")), 502, category);
    }

    [Fact]
    public async Task ConnectionRefused_Is502()
    {
        await using GatewayProcess gateway = await GatewayProcess.StartAsync(Doc.Proxy(RawOrigin.RefusedAddress()));
        Problem.Is(await RawHttpClient.OnceAsync(gateway.Listener(), Doc.Get()), 502, "upstream_connect_failed");
        using HttpClient h2 = H2Client.Http2(gateway.Listener());
        await Problem.IsAsync(await h2.GetAsync("/"), 502, "upstream_connect_failed");
    }

    [Fact]
    public async Task EarlyAnswerOfAnHttp2Upstream_ReachesTheClientWhileItStillSends()
    {
        await using RawHttpClient client = await RawHttpClient.ConnectAsync(site.Web);
        await client.SendAsync("POST /early?status=403 HTTP/1.1\r\nHost: h2c.test\r\nContent-Length: 100000\r\n\r\nsome of it");
        Assert.Equal(403, (await client.ReadHeadAsync())!.Status);
        using HttpRequestMessage request = H2Client.Request("2.0", HttpMethod.Post, "/early?status=403", "h2c.test", new StreamedContent());
        Task<HttpResponseMessage> sending = site.Http2.SendAsync(request, HttpCompletionOption.ResponseHeadersRead);
        // The answer may be there before the body: then nobody takes the body any more.
        _ = await Record.ExceptionAsync(() => ((StreamedContent)request.Content!).WriteAsync(new byte[1000]));
        using HttpResponseMessage response = await Eventually.Within("the early answer", sending);
        Assert.Equal(HttpStatusCode.Forbidden, response.StatusCode);
        ((StreamedContent)request.Content!).Complete();
    }

    [Fact]
    public async Task EarlyAnswerOfAnHttp1Upstream_ReachesTheClientThatSendsItAll()
    {
        await using RawHttpClient client = await RawHttpClient.ConnectAsync(site.Web);
        RawResponse response = await client.RequestAsync(Doc.Post("/early?status=403", new string('x', 5000), "h1.test"));
        Assert.Equal((403, "no need to read on"), (response.Status, response.Text));
    }

    [Fact]
    public async Task SlowReader_HoldsTheUpstreamBack()
    {
        long sent = 0;
        await using HttpOrigin origin = await HttpOrigin.StartAsync();
        origin.Map("/flood", async http =>
        {
            byte[] piece = new byte[65536];
            while (!http.RequestAborted.IsCancellationRequested)
            {
                await http.Response.Body.WriteAsync(piece, http.RequestAborted);
                _ = Interlocked.Add(ref sent, piece.Length);
            }
        });
        await using GatewayProcess gateway = await GatewayProcess.StartAsync(Doc.Proxy(origin.Address));
        await using RawHttpClient client = await RawHttpClient.ConnectAsync(gateway.Listener());
        await client.SendAsync(Doc.Get("/flood"));
        Assert.Equal(200, (await client.ReadHeadAsync())!.Status);
        long last = -1;
        await Eventually.Until("the upstream stands still while the client does not read", async () =>
        {
            long now = Interlocked.Read(ref sent);
            bool still = now == last;
            last = now;
            await Task.Delay(300);
            return still && Interlocked.Read(ref sent) == now;
        });
        // Socket buffers of two hops and no more: whatever is held, it is not "everything".
        Assert.InRange(last, 1, 64L << 20);
    }
}
