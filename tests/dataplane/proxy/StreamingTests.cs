using System.Net;
using System.Text;
using Gateway.Config;
using Gateway.TestKit;
using Xunit;

namespace Gateway.DataPlane.Tests.Proxy;

public sealed class StreamingTests
{
    private static Task<HttpOrigin> OriginAsync(bool http2) => http2 ? HttpOrigin.StartH2cAsync() : HttpOrigin.StartAsync();

    private static ProxyOptions To(bool http2) => new() { Protocol = http2 ? UpstreamProtocol.H2c : UpstreamProtocol.Http1 };

    private static HttpClient Client(ProxyHost proxy, bool http2) => http2 ? H2Client.Http2(proxy.Http2Address) : H2Client.Http1(proxy.Address);

    [Theory]
    [InlineData(false, false)]
    [InlineData(false, true)]
    [InlineData(true, false)]
    [InlineData(true, true)]
    public async Task ServerSentEvents_ArriveAsTheyAreSent(bool http2Client, bool http2Upstream)
    {
        await using HttpOrigin origin = await OriginAsync(http2Upstream);
        await using ProxyHost proxy = await ProxyHost.StartAsync(origin.Address, To(http2Upstream));
        using HttpClient client = Client(proxy, http2Client);
        // The head comes although no event was sent.
        using HttpResponseMessage response = await Eventually.Within("the head", client.GetAsync("/sse?count=3&gate=g", HttpCompletionOption.ResponseHeadersRead));
        using var lines = new StreamReader(await response.Content.ReadAsStreamAsync());
        for (int i = 1; i <= 3; i++)
        {
            origin.Gate("g").LetPass();
            Assert.Equal($"data: {i}", await Eventually.Within("an event", lines.ReadLineAsync()));
            Assert.Equal("", await Eventually.Within("its end", lines.ReadLineAsync()));
        }
        Assert.Null(await Eventually.Within("the end", lines.ReadLineAsync()));
    }

    [Theory]
    [InlineData("Content-Length: 100\r\n\r\nabc", false)]
    [InlineData("Content-Length: 100\r\n\r\nabc", true)]
    [InlineData("Transfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n", false)]
    [InlineData("Transfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n", true)]
    [InlineData("Transfer-Encoding: chunked\r\nTrailer: x\r\n\r\n3\r\nabc\r\n", false)]
    [InlineData("Transfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n", false, "zz\r\n")]
    public async Task UpstreamThatDiesInsideTheBody_NeverEndsTheResponseCleanly(string answer, bool reset, string then = "")
    {
        var seen = new Gate("the client has the first part");
        await using RawOrigin origin = RawOrigin.Start(async connection =>
        {
            await connection.ReadHeadAsync();
            await connection.SendAsync("HTTP/1.1 200 OK\r\n" + answer);
            await seen.PassAsync(connection.Stopped);
            await connection.SendAsync(then);
            if (reset) connection.Reset();
        });
        await using ProxyHost proxy = await ProxyHost.StartAsync(origin.Address);
        await using RawHttpClient client = await RawHttpClient.ConnectAsync(proxy.Address);
        await client.SendAsync("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
        RawResponse response = (await client.ReadHeadAsync())!;
        seen.LetPass();
        await client.ReadBodyAsync(response);
        Assert.Equal(BodyEnd.Died, response.End);

        using HttpClient http2 = H2Client.Http2(proxy.Http2Address);
        using HttpResponseMessage head = await http2.GetAsync("/", HttpCompletionOption.ResponseHeadersRead);
        seen.LetPass();
        await Assert.ThrowsAnyAsync<Exception>(() => Eventually.Within("the end", head.Content.ReadAsByteArrayAsync()));
        await Eventually.Until("nothing is in flight", () => proxy.InFlight == 0 && proxy.UpstreamInFlight == 0);
        Assert.Empty(proxy.Log.Errors);
        await Eventually.Until("the failure is counted", () => proxy.Scrape().Contains("gateway_errors_total{route=\"route\"", StringComparison.Ordinal));
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task UpstreamThatDiesWithItsFirstBytes_IsCutOff_NotAnsweredWithAnErrorBehindThem(bool http2Client)
    {
        await using RawOrigin origin = RawOrigin.Start(async connection =>
        {
            await connection.ReadHeadAsync();
            await connection.SendAsync("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n");
        });
        await using ProxyHost proxy = await ProxyHost.StartAsync(origin.Address);
        using HttpClient client = Client(proxy, http2Client);
        for (int i = 0; i < 20; i++) await Assert.ThrowsAnyAsync<HttpRequestException>(() => Eventually.Within("the end", client.GetStringAsync("/")));
        Assert.Empty(proxy.Log.Errors);
    }

    [Theory]
    [InlineData(false, false)]
    [InlineData(false, true)]
    [InlineData(true, false)]
    [InlineData(true, true)]
    public async Task ClientThatLeaves_IsNoticedByTheUpstream_BeforeTheHeadAndInTheBody(bool http2Client, bool http2Upstream)
    {
        await using HttpOrigin origin = await OriginAsync(http2Upstream);
        await using ProxyHost proxy = await ProxyHost.StartAsync(origin.Address, To(http2Upstream));
        using HttpClient client = Client(proxy, http2Client);
        foreach (string path in new[] { "/hold?gate=never", "/half?gate=never" })
        {
            int before = origin.Aborted;
            using var leave = new CancellationTokenSource();
            Task<HttpResponseMessage> request = client.GetAsync(path, HttpCompletionOption.ResponseHeadersRead, leave.Token);
            await origin.Gate("never").WaitForArrivalAsync(before + 1);
            if (path.StartsWith("/half", StringComparison.Ordinal)) (await request).Dispose();
            else await leave.CancelAsync();
            await Eventually.Until("the origin sees the client go", () => origin.Aborted == before + 1);
            await Eventually.Until("nothing is in flight", () => proxy.InFlight == 0 && proxy.UpstreamInFlight == 0);
        }
        await Eventually.Until("both are recorded", () => proxy.RouteTotal() == 2);
        Assert.Contains("category=\"client_closed\"} 2", proxy.Scrape(), StringComparison.Ordinal);
        Assert.Empty(proxy.Log.Errors);
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task ClientThatLeavesInTheMiddleOfItsUpload_IsNoticedByTheUpstream(bool http2Upstream)
    {
        await using HttpOrigin origin = await OriginAsync(http2Upstream);
        await using ProxyHost proxy = await ProxyHost.StartAsync(origin.Address, To(http2Upstream));
        foreach (string framing in new[] { "Content-Length: 100\r\n\r\nabc", "Transfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n" })
        {
            int before = origin.Aborted;
            await using RawHttpClient client = await RawHttpClient.ConnectAsync(proxy.Address);
            await client.SendAsync("POST /sink HTTP/1.1\r\nHost: a\r\n" + framing);
            await Eventually.Until("the origin has the request", () => origin.InFlight == 1);
            client.Reset();
            await Eventually.Until("the origin sees it fail", () => origin.Aborted == before + 1);
            await Eventually.Until("nothing is in flight", () => proxy.InFlight == 0 && proxy.UpstreamInFlight == 0);
        }
        Assert.Empty(proxy.Log.Errors);
    }

    [Fact]
    public async Task SlowClient_HoldsTheUpstreamBack()
    {
        long written = 0;
        await using RawOrigin origin = RawOrigin.Start(async connection =>
        {
            await connection.ReadHeadAsync();
            await connection.SendAsync("HTTP/1.1 200 OK\r\nContent-Length: 300000000\r\n\r\n");
            byte[] piece = new byte[100_000];
            for (int i = 0; i < 3000; i++)
            {
                await connection.SendAsync(piece);
                Interlocked.Add(ref written, piece.Length);
            }
        });
        await using ProxyHost proxy = await ProxyHost.StartAsync(origin.Address);
        await using RawHttpClient client = await RawHttpClient.ConnectAsync(proxy.Address);
        await client.SendAsync("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
        await client.ReadHeadAsync();
        long last = -1;
        await Eventually.Until("the origin is held back", async () =>
        {
            long was = last;
            last = Interlocked.Read(ref written);
            await Task.Delay(200);
            return was == Interlocked.Read(ref written) && was > 0;
        });
        // What fits into the sockets' buffers of two hops.
        Assert.InRange(last, 1, 50_000_000);
    }

    [Theory]
    [InlineData(false, false)]
    [InlineData(false, true)]
    [InlineData(true, false)]
    public async Task LargeBodies_RunInConstantMemory(bool http2Client, bool http2Upstream)
    {
        const long Size = 256L << 20;
        await using HttpOrigin origin = await OriginAsync(http2Upstream);
        await using ProxyHost proxy = await ProxyHost.StartAsync(origin.Address, To(http2Upstream));
        using HttpClient client = Client(proxy, http2Client);
        await client.GetByteArrayAsync("/bytes/100000");
        long before = GC.GetTotalMemory(forceFullCollection: true);
        // Other tests run beside this one in the same memory: a body that is held is there at every look, what they hold at some.
        long least = long.MaxValue;

        using (HttpResponseMessage response = await client.GetAsync($"/bytes/{Size}", HttpCompletionOption.ResponseHeadersRead))
        {
            var counted = new CountingStream();
            await response.Content.CopyToAsync(counted);
            Assert.Equal(Size, counted.Count);
            long held = GC.GetTotalMemory(forceFullCollection: true) - before;
            for (int i = 0; i < 20 && held >= Size / 4; i++)
            {
                await Task.Delay(50);
                held = Math.Min(held, GC.GetTotalMemory(forceFullCollection: true) - before);
            }
            Assert.InRange(held, long.MinValue, Size / 4);
        }
        var upload = new StreamedContent();
        Task<HttpResponseMessage> answer = client.PostAsync("/sink?nohash=1", upload);
        byte[] piece = new byte[1 << 20];
        for (long sent = 0; sent < Size; sent += piece.Length)
        {
            await upload.WriteAsync(piece);
            // In the second half, when half of it or more would be there.
            if (sent >= Size / 2 && sent % (Size / 16) == 0) least = Math.Min(least, GC.GetTotalMemory(forceFullCollection: true) - before);
        }
        upload.Complete();
        Assert.StartsWith($"{Size} ", await (await answer).Content.ReadAsStringAsync(), StringComparison.Ordinal);

        // Client, gateway and origin together.
        Assert.InRange(least, long.MinValue, Size / 4);
    }

    private sealed class CountingStream : Stream
    {
        public long Count { get; private set; }
        public override bool CanRead => false;
        public override bool CanSeek => false;
        public override bool CanWrite => true;
        public override long Length => throw new NotSupportedException();

        public override long Position
        {
            get => Count;
            set => throw new NotSupportedException();
        }

        public override void Flush()
        {
        }

        public override int Read(byte[] buffer, int offset, int count) => throw new NotSupportedException();
        public override long Seek(long offset, SeekOrigin origin) => throw new NotSupportedException();
        public override void SetLength(long value) => throw new NotSupportedException();
        public override void Write(byte[] buffer, int offset, int count) => Count += count;

        public override ValueTask WriteAsync(ReadOnlyMemory<byte> buffer, CancellationToken cancellationToken = default)
        {
            Count += buffer.Length;
            return ValueTask.CompletedTask;
        }
    }

    [Fact]
    public async Task HeadAndEmptyResponses_KeepTheirForm()
    {
        await using RawOrigin origin = RawOrigin.Start(async connection =>
        {
            while (await connection.ReadHeadAsync() is { } head)
            {
                string status = head.Split(' ')[1][1..];
                await connection.SendAsync(status switch
                {
                    "head" => "HTTP/1.1 200 OK\r\nContent-Length: 1234\r\n\r\n",
                    "headchunked" => "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n",
                    "304" => "HTTP/1.1 304 Not Modified\r\nContent-Length: 77\r\nETag: \"x\"\r\n\r\n",
                    "204" => "HTTP/1.1 204 No Content\r\n\r\n",
                    "205" => "HTTP/1.1 205 Reset Content\r\nContent-Length: 0\r\n\r\n",
                    _ => "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n",
                });
            }
        });
        await using ProxyHost proxy = await ProxyHost.StartAsync(origin.Address);
        await using RawHttpClient client = await RawHttpClient.ConnectAsync(proxy.Address);
        Task<RawResponse> Get(string method, string path) => client.RequestAsync($"{method} /{path} HTTP/1.1\r\nHost: a\r\n\r\n");
        Assert.Equal("1234", (await Get("HEAD", "head"))["content-length"]);
        Assert.Equal(200, (await Get("HEAD", "headchunked")).Status);
        RawResponse notModified = await Get("GET", "304");
        Assert.Equal((304, "77", "\"x\""), (notModified.Status, notModified["content-length"], notModified["etag"]));
        RawResponse noContent = await Get("GET", "204");
        Assert.Equal((204, null, null), (noContent.Status, noContent["content-length"], noContent["transfer-encoding"]));
        RawResponse reset = await Get("GET", "205");
        Assert.Equal((205, "0"), (reset.Status, reset["content-length"]));
        RawResponse empty = await Get("GET", "x");
        Assert.Equal((200, "0", BodyEnd.Length), (empty.Status, empty["content-length"], empty.End));
        Assert.Single(origin.Connections);
        Assert.Empty(proxy.Log.Errors);
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task Trailers_ReachAnHttp2Client(bool http2Upstream)
    {
        await using RawOrigin raw = RawOrigin.Answering("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nTrailer: x-sum\r\n\r\n5\r\nhello\r\n0\r\nx-sum: 42\r\n\r\n");
        await using HttpOrigin http2 = await HttpOrigin.StartH2cAsync();
        http2.Map("/t", async http =>
        {
            await Microsoft.AspNetCore.Http.HttpResponseWritingExtensions.WriteAsync(http.Response, "hello");
            Microsoft.AspNetCore.Http.ResponseTrailerExtensions.AppendTrailer(http.Response, "x-sum", "42");
        });
        await using ProxyHost proxy = await ProxyHost.StartAsync(http2Upstream ? http2.Address : raw.Address, To(http2Upstream));
        using HttpClient client = H2Client.Http2(proxy.Http2Address);
        using HttpResponseMessage response = await client.GetAsync("/t");
        Assert.Equal("hello", await response.Content.ReadAsStringAsync());
        Assert.Equal("42", response.TrailingHeaders.GetValues("x-sum").Single());
    }

    [Fact]
    public async Task LargeChunkedBody_WithOwnFraming_IsWhole()
    {
        await using HttpOrigin origin = await HttpOrigin.StartAsync();
        await using ProxyHost proxy = await ProxyHost.StartAsync(origin.Address);
        RawResponse response = await RawHttpClient.OnceAsync(proxy.Address, "GET /bytes/1000003?chunked=1 HTTP/1.1\r\nHost: a\r\nTE: trailers\r\n\r\n");
        Assert.Equal((1_000_003, BodyEnd.LastChunk), (response.Body.Length, response.End));
        for (int i = 0; i < response.Body.Length; i++)
        {
            if (response.Body[i] != "0123456789abcdef"[i % 16]) Assert.Fail($"byte {i} differs");
        }
    }

    [Fact]
    public async Task ExpectContinue_IsAnsweredByTheUpstream_NotBefore()
    {
        var allow = new Gate("the upstream wants the body");
        await using RawOrigin origin = RawOrigin.Start(async connection =>
        {
            while (await connection.ReadHeadAsync() is { } head)
            {
                if (head.Contains("/refuse", StringComparison.Ordinal))
                {
                    await connection.RespondAsync(403, "no");
                    continue;
                }
                await allow.PassAsync(connection.Stopped);
                await connection.SendAsync("HTTP/1.1 100 Continue\r\n\r\n");
                byte[] body = await connection.ReadBodyAsync(head);
                await connection.RespondAsync(200, Encoding.ASCII.GetString(body));
            }
        });
        await using ProxyHost proxy = await ProxyHost.StartAsync(origin.Address);
        await using RawHttpClient client = await RawHttpClient.ConnectAsync(proxy.Address);
        await client.SendAsync("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\nExpect: 100-continue\r\n\r\n");
        await allow.WaitForArrivalAsync();
        Assert.Contains("Expect: 100-continue\r\n", origin.ReceivedText, StringComparison.Ordinal);
        allow.LetPass();
        Assert.Equal(100, (await client.ReadHeadAsync(stopAtInterim: true))!.Status);
        await client.SendAsync("hello");
        Assert.Equal("hello", (await client.ReadResponseAsync()).Text);

        await using RawHttpClient refused = await RawHttpClient.ConnectAsync(proxy.Address);
        await refused.SendAsync("POST /refuse HTTP/1.1\r\nHost: a\r\nContent-Length: 5000\r\nExpect: 100-continue\r\n\r\n");
        RawResponse answer = await refused.ReadResponseAsync();
        Assert.Equal((403, 0), (answer.Status, answer.Interim.Count));
    }

    [Fact]
    public async Task Http2Upstream_MayAnswerBeforeTheBodyIsWhole()
    {
        await using HttpOrigin origin = await HttpOrigin.StartH2cAsync();
        await using ProxyHost proxy = await ProxyHost.StartAsync(origin.Address, To(http2: true));
        using HttpClient client = H2Client.Http2(proxy.Http2Address);
        var body = new StreamedContent();
        using HttpResponseMessage response = await Eventually.Within("the early answer", client.SendAsync(
            new HttpRequestMessage(HttpMethod.Post, "/early?status=403") { Content = body, Version = HttpVersion.Version20, VersionPolicy = HttpVersionPolicy.RequestVersionExact }, HttpCompletionOption.ResponseHeadersRead));
        Assert.Equal(HttpStatusCode.Forbidden, response.StatusCode);
        Assert.Equal("no need to read on", await response.Content.ReadAsStringAsync());
        body.Complete();
        await Eventually.Until("nothing is in flight", () => proxy.InFlight == 0 && proxy.UpstreamInFlight == 0);
        Assert.Empty(proxy.Log.Errors);
    }
}
