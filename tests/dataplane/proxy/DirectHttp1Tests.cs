using System.Globalization;
using Gateway.TestKit;
using Xunit;

namespace Gateway.DataPlane.Tests.Proxy;

/// <summary>The short way of plain requests: who takes it, who is handed over and loses nothing, and that its responses are framed as HTTP/1.1 wants.</summary>
public sealed class DirectHttp1Tests
{
    private const string Hello = "HTTP/1.1 200 OK\r\nContent-Length: 5\r\nX-Origin: o\r\n\r\nhello";

    private static void SkipWithoutIt() => Assert.SkipUnless(ProxyHost.IsDirect, "the short way is on the event loops alone");

    [Fact]
    public async Task PlainRequests_NeverComeToKestrel()
    {
        SkipWithoutIt();
        await using RawOrigin origin = RawOrigin.Answering(Hello);
        await using ProxyHost proxy = await ProxyHost.StartAsync(origin.Address);
        await using RawHttpClient client = await RawHttpClient.ConnectAsync(proxy.Address);
        for (int i = 0; i < 3; i++)
        {
            RawResponse response = await client.RequestAsync($"GET /{i} HTTP/1.1\r\nHost: a\r\nX-Same: yes\r\n\r\n");
            Assert.Equal((200, "hello", "o", "1.1 gateway"), (response.Status, response.Text, response["x-origin"], response["via"]));
            Assert.True(DateTimeOffset.TryParseExact(response["date"], "R", CultureInfo.InvariantCulture, DateTimeStyles.None, out _), response["date"]);
            Assert.Null(response["connection"]);
        }
        Assert.Equal(0, proxy.HandedOver);
        Assert.Equal(3, proxy.RouteTotal());
        for (int i = 0; i < 3; i++) Assert.Contains($"GET /{i} HTTP/1.1\r\nHost: a\r\nX-Same: yes\r\n", origin.ReceivedText, StringComparison.Ordinal);
    }

    [Fact]
    public async Task RequestsInOnePiece_AreAnsweredInOrder()
    {
        SkipWithoutIt();
        await using RawOrigin origin = RawOrigin.Answering(Hello);
        await using ProxyHost proxy = await ProxyHost.StartAsync(origin.Address);
        await using RawHttpClient client = await RawHttpClient.ConnectAsync(proxy.Address);
        // The second has other fields, the fourth is not plain, the last one is after it.
        await client.SendAsync(
            "GET /1 HTTP/1.1\r\nHost: a\r\n\r\nPOST /2 HTTP/1.1\r\nHost: b\r\nContent-Length: 3\r\n\r\nabcGET /3 HTTP/1.1\r\nHost: a\r\n\r\n" +
            "POST /4 HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nxy\r\n0\r\n\r\nGET /5 HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n");
        for (int i = 1; i <= 5; i++) Assert.Equal("hello", (await client.ReadResponseAsync()).Text);
        Assert.Equal(WireEnd.Closed, (await client.ReadEndAsync()).End);
        Assert.Equal(1, proxy.HandedOver);
        string seen = origin.ReceivedText;
        int at = 0;
        foreach (string line in (string[])["GET /1", "POST /2", "abc", "GET /3", "POST /4", "GET /5"])
        {
            at = seen.IndexOf(line, at, StringComparison.Ordinal);
            Assert.True(at >= 0, $"{line} in order in {seen}");
        }
    }

    [Fact]
    public async Task ManyRequestsAtOnce_AreAllAnswered()
    {
        SkipWithoutIt();
        await using RawOrigin origin = RawOrigin.Answering(Hello);
        await using ProxyHost proxy = await ProxyHost.StartAsync(origin.Address, new ProxyOptions { OnlyHost = "a" });
        await using RawHttpClient client = await RawHttpClient.ConnectAsync(proxy.Address);
        // More than are served in a row; none of these has to wait for anybody.
        await client.SendAsync(string.Concat(Enumerable.Range(0, 100).Select(static i => $"GET /{i} HTTP/1.1\r\nHost: nowhere\r\n\r\n")));
        for (int i = 0; i < 100; i++) Assert.Equal(404, (await client.ReadResponseAsync()).Status);
        Assert.Equal("hello", (await client.RequestAsync("GET / HTTP/1.1\r\nHost: a\r\n\r\n")).Text);
        Assert.InRange(proxy.HandedOver, 0, 1);
    }

    [Fact]
    public async Task AHeadWhoseRestIsLongInComing_IsKestrels_AndIsServed()
    {
        SkipWithoutIt();
        await using RawOrigin origin = RawOrigin.Answering(Hello);
        await using ProxyHost proxy = await ProxyHost.StartAsync(origin.Address);
        await using RawHttpClient client = await RawHttpClient.ConnectAsync(proxy.Address);
        await client.SendAsync("GET / HTT");
        await Eventually.Until("it is handed over", () => proxy.HandedOver == 1);
        await client.SendAsync("P/1.1\r\nHost: a\r\n\r\n");
        Assert.Equal("hello", (await client.ReadResponseAsync()).Text);
    }

    [Fact]
    public async Task ABodyWhoseRestIsLongInComing_IsKestrels_AndIsServed()
    {
        SkipWithoutIt();
        await using RawOrigin origin = RawOrigin.Start(async connection => await connection.RespondAsync(200, System.Text.Encoding.Latin1.GetString(await connection.ReadBodyAsync((await connection.ReadHeadAsync())!))));
        await using ProxyHost proxy = await ProxyHost.StartAsync(origin.Address);
        await using RawHttpClient client = await RawHttpClient.ConnectAsync(proxy.Address);
        await client.SendAsync("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 10\r\n\r\n01234");
        await Eventually.Until("it is handed over", () => proxy.HandedOver == 1);
        await client.SendAsync("56789");
        Assert.Equal("0123456789", (await client.ReadResponseAsync()).Text);
    }

    [Theory]
    [InlineData(10_000, 1)]
    [InlineData(30_000, 1)]
    [InlineData(100, 4)]
    [InlineData(9_000, 7)]
    public async Task ALongHead_AndOneInPieces_AndTheirBodies_AreServedHere(int cookie, int pieces)
    {
        SkipWithoutIt();
        await using RawOrigin origin = RawOrigin.Start(async connection =>
        {
            while (await connection.ReadHeadAsync() is { } head)
                await connection.RespondAsync(200, $"{RawConnection.HeaderOf(head, "cookie")!.Length} {System.Text.Encoding.Latin1.GetString(await connection.ReadBodyAsync(head))}");
        });
        // So long that a machine that stands still does not matter.
        await using ProxyHost proxy = await ProxyHost.StartAsync(origin.Address, new ProxyOptions { ClientRest = TimeSpan.FromMinutes(1) });
        await using RawHttpClient client = await RawHttpClient.ConnectAsync(proxy.Address);
        string request = $"POST / HTTP/1.1\r\nHost: a\r\nCookie: {new string('c', cookie)}\r\nContent-Length: 12\r\n\r\nall the body";
        for (int i = 0; i < 10; i++)
        {
            int size = request.Length / pieces + 1;
            for (int at = 0; at < request.Length; at += size) await client.SendAsync(request[at..Math.Min(request.Length, at + size)]);
            Assert.Equal($"{cookie} all the body", (await client.ReadResponseAsync()).Text);
        }
        Assert.Equal(0, proxy.HandedOver);
    }

    [Theory]
    [InlineData("GET / HTTP/1.0\r\n")]
    [InlineData("GET http://a/ HTTP/1.1\r\n")]
    [InlineData("get / HTTP/1.1")]
    [InlineData("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 16385\r\n\r\n")]
    [InlineData("POST / HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 5\r\n\r\n")]
    public async Task WhatCannotBecomePlain_IsNotWaitedFor(string beginning)
    {
        SkipWithoutIt();
        await using RawOrigin origin = RawOrigin.Answering(Hello);
        await using ProxyHost proxy = await ProxyHost.StartAsync(origin.Address, new ProxyOptions { ClientRest = TimeSpan.FromMinutes(1) });
        await using RawHttpClient client = await RawHttpClient.ConnectAsync(proxy.Address);
        await client.SendAsync(beginning);
        await Eventually.Until("it is handed over", () => proxy.HandedOver == 1);
    }

    [Fact]
    public async Task ASmallBody_GoesWithItsRequest()
    {
        SkipWithoutIt();
        await using RawOrigin origin = RawOrigin.Start(async connection =>
        {
            while (await connection.ReadHeadAsync() is { } head) await connection.RespondAsync(200, System.Text.Encoding.Latin1.GetString(await connection.ReadBodyAsync(head)));
        });
        await using ProxyHost proxy = await ProxyHost.StartAsync(origin.Address);
        await using RawHttpClient client = await RawHttpClient.ConnectAsync(proxy.Address);
        for (int i = 0; i < 3; i++) Assert.Equal($"body {i}", (await client.RequestAsync($"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 6\r\n\r\nbody {i}")).Text);
        Assert.Equal("", (await client.RequestAsync("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\n\r\n")).Text);
        Assert.Equal(0, proxy.HandedOver);
    }

    [Theory]
    [InlineData("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n", "hello", "chunked")]
    [InlineData("HTTP/1.1 200 OK\r\nConnection: close\r\n\r\nhello", "hello", "chunked")]
    [InlineData("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", "", null)]
    [InlineData("HTTP/1.1 204 No Content\r\n\r\n", "", null)]
    [InlineData("HTTP/1.1 304 Not Modified\r\nETag: \"x\"\r\n\r\n", "", null)]
    [InlineData("HTTP/1.1 299 Odd\r\nContent-Length: 2\r\n\r\nok", "ok", null)]
    public async Task EveryFramingOfAResponse_ReachesTheClient_AndTheConnectionGoesOn(string answer, string body, string? coding)
    {
        SkipWithoutIt();
        await using RawOrigin origin = RawOrigin.Start(async connection =>
        {
            while (await connection.ReadHeadAsync() is not null)
            {
                await connection.SendAsync(answer);
                if (answer.Contains("close", StringComparison.Ordinal)) return;
            }
        });
        await using ProxyHost proxy = await ProxyHost.StartAsync(origin.Address);
        await using RawHttpClient client = await RawHttpClient.ConnectAsync(proxy.Address);
        for (int i = 0; i < 2; i++)
        {
            RawResponse response = await client.RequestAsync("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
            Assert.Equal((body, coding), (response.Text, response["transfer-encoding"]));
            Assert.True(response.IsWhole);
        }
        Assert.Equal(0, proxy.HandedOver);
    }

    [Fact]
    public async Task HeadRequests_GetTheFieldsAndNoBody()
    {
        SkipWithoutIt();
        await using RawOrigin origin = RawOrigin.Answering("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n");
        await using ProxyHost proxy = await ProxyHost.StartAsync(origin.Address, new ProxyOptions { OnlyHost = "a" });
        await using RawHttpClient client = await RawHttpClient.ConnectAsync(proxy.Address);
        foreach ((string host, int status) in ((string, int)[])[("a", 200), ("nowhere", 404), ("a", 200)])
        {
            await client.SendAsync($"HEAD / HTTP/1.1\r\nHost: {host}\r\n\r\n");
            RawResponse response = await client.ReadResponseAsync(isHead: true);
            Assert.Equal(status, response.Status);
            Assert.NotNull(response["content-length"]);
        }
        Assert.Equal(0, proxy.HandedOver);
    }

    [Fact]
    public async Task Errors_AreAnsweredHereToo_AndTheConnectionGoesOn()
    {
        SkipWithoutIt();
        await using RawOrigin origin = RawOrigin.Answering(Hello);
        await using ProxyHost proxy = await ProxyHost.StartAsync(origin.Address, new ProxyOptions { OnlyHost = "a" });
        await using RawHttpClient client = await RawHttpClient.ConnectAsync(proxy.Address);
        RawResponse refused = await client.RequestAsync("GET / HTTP/1.1\r\nHost: nowhere\r\n\r\n");
        Assert.Equal((404, "application/problem+json"), (refused.Status, refused["content-type"]));
        Assert.Contains("urn:gateway:no_route", refused.Text, StringComparison.Ordinal);
        Assert.Equal("hello", (await client.RequestAsync("GET / HTTP/1.1\r\nHost: a\r\n\r\n")).Text);
        Assert.Equal(0, proxy.HandedOver);
    }

    [Fact]
    public async Task AClientThatWantsTheConnectionClosed_IsObeyed()
    {
        SkipWithoutIt();
        await using RawOrigin origin = RawOrigin.Answering(Hello);
        await using ProxyHost proxy = await ProxyHost.StartAsync(origin.Address);
        await using RawHttpClient client = await RawHttpClient.ConnectAsync(proxy.Address);
        RawResponse response = await client.RequestAsync("GET / HTTP/1.1\r\nHost: a\r\nConnection: Close\r\n\r\n");
        Assert.Equal(("hello", "close"), (response.Text, response["connection"]));
        Assert.Equal(WireEnd.Closed, (await client.ReadEndAsync()).End);
        Assert.Equal(0, proxy.HandedOver);
    }

    [Fact]
    public async Task AnIdleClient_IsLetGo_AfterItsTime()
    {
        SkipWithoutIt();
        await using RawOrigin origin = RawOrigin.Answering(Hello);
        await using ProxyHost proxy = await ProxyHost.StartAsync(origin.Address, new ProxyOptions { ClientIdle = TimeSpan.FromMilliseconds(300) });
        await using RawHttpClient quiet = await RawHttpClient.ConnectAsync(proxy.Address);
        await using RawHttpClient asked = await RawHttpClient.ConnectAsync(proxy.Address);
        Assert.Equal("hello", (await asked.RequestAsync("GET / HTTP/1.1\r\nHost: a\r\n\r\n")).Text);
        Assert.Equal(WireEnd.Closed, (await quiet.ReadEndAsync()).End);
        Assert.Equal(WireEnd.Closed, (await asked.ReadEndAsync()).End);
        Assert.Equal(0, proxy.HandedOver);
    }

    [Fact]
    public async Task AConnection_KnowsNothingOfTheOneBeforeIt()
    {
        SkipWithoutIt();
        await using RawOrigin origin = RawOrigin.Answering(Hello);
        await using ProxyHost proxy = await ProxyHost.StartAsync(origin.Address);
        for (int i = 0; i < 20; i++)
        {
            await using RawHttpClient client = await RawHttpClient.ConnectAsync(proxy.Address);
            Assert.Equal("hello", (await client.RequestAsync($"GET /{i} HTTP/1.1\r\nHost: h{i}\r\nX-Number: {i}\r\n\r\n")).Text);
            // Half of them leave in the middle of a request.
            if (i % 2 == 0) await client.SendAsync("GET /gone HTTP/1.1\r\nHost: gone\r\n\r\n");
        }
        string seen = origin.ReceivedText;
        for (int i = 0; i < 20; i++) Assert.Contains($"GET /{i} HTTP/1.1\r\nHost: h{i}\r\nX-Number: {i}\r\n", seen, StringComparison.Ordinal);
        await Eventually.Until("nothing is in flight", () => proxy.InFlight == 0 && proxy.UpstreamInFlight == 0);
    }

    [Fact]
    public async Task ClientsThatSendTheSameFields_AreToldApartByTheirAddresses()
    {
        // Linux lets anybody come from all of 127.0.0.0/8.
        SkipWithoutIt();
        await using RawOrigin origin = RawOrigin.Answering(Hello);
        await using ProxyHost proxy = await ProxyHost.StartAsync(origin.Address);
        static string From(int i) => $"127.0.0.{2 + i * 7 % 5}";
        for (int i = 0; i < 60; i++)
        {
            await using RawHttpClient client = await RawHttpClient.ConnectAsync(proxy.Address, From(i));
            Assert.Equal("hello", (await client.RequestAsync($"GET /{i} HTTP/1.1\r\nHost: a\r\nAccept: */*\r\n\r\n")).Text);
        }
        string[] seen = origin.ReceivedText.Split("\r\n\r\n");
        for (int i = 0; i < 60; i++)
        {
            string head = Assert.Single(seen, head => head.StartsWith($"GET /{i} ", StringComparison.Ordinal));
            Assert.Contains($"\r\nX-Forwarded-For: {From(i)}\r\n", head, StringComparison.Ordinal);
            Assert.Contains($"\r\nForwarded: for={From(i)};host=a;proto=http\r\n", head, StringComparison.Ordinal);
        }
        Assert.Equal(0, proxy.HandedOver);
    }

    [Fact]
    public async Task AnUpstreamThatBreaksOff_IsNotTakenForTheEnd()
    {
        SkipWithoutIt();
        TaskCompletionSource read = new();
        await using RawOrigin origin = RawOrigin.Start(async connection =>
        {
            await connection.ReadHeadAsync();
            await connection.SendAsync("HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nonly this");
            await read.Task;
        });
        await using ProxyHost proxy = await ProxyHost.StartAsync(origin.Address);
        await using RawHttpClient client = await RawHttpClient.ConnectAsync(proxy.Address);
        await client.SendAsync("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
        RawResponse? response = await client.ReadHeadAsync();
        Assert.Equal("100", response!["content-length"]);
        read.SetResult();
        await client.ReadBodyAsync(response);
        Assert.False(response.IsWhole);
        Assert.Equal(0, proxy.HandedOver);
    }
}
