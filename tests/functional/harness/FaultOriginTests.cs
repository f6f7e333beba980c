using System.Net.Sockets;
using Gateway.TestKit;
using Xunit;

namespace Gateway.Functional.Tests.Harness;

/// <summary>The faults are what they are called, without a gateway in between.</summary>
public sealed class FaultOriginTests
{
    private static Uri Uri(FaultOrigin origin) => new($"http://{origin.Address}");

    [Fact]
    public async Task Statuses_AreSpreadByTheirShare()
    {
        await using FaultOrigin origin = FaultOrigin.Start("a");
        origin.Become(Fault.StatusShare(503, 0.25));
        await using RawHttpClient client = await RawHttpClient.ConnectAsync(Uri(origin));
        List<int> statuses = [];
        for (int i = 0; i < 20; i++) statuses.Add((await client.RequestAsync(Doc.Get("/x?y"))).Status);
        Assert.Equal(5, statuses.Count(s => s == 503));
        Assert.Equal((20, 20, 1), (origin.Hits, origin.HitsAt("/x"), origin.Accepted));
    }

    [Fact]
    public async Task Refuse_ResetsRefusesAndComesBackAtTheSamePort()
    {
        await using FaultOrigin origin = FaultOrigin.Start("a");
        await using RawHttpClient client = await RawHttpClient.ConnectAsync(Uri(origin));
        Assert.Equal("a", (await client.RequestAsync(Doc.Get()))["x-origin"]);
        origin.Become(Fault.Refuse);
        Assert.Equal(WireEnd.Reset, (await client.ReadEndAsync()).End);
        await Assert.ThrowsAsync<SocketException>(() => RawHttpClient.ConnectAsync(Uri(origin)));
        origin.Become(Fault.None);
        Assert.Equal(200, (await RawHttpClient.OnceAsync(Uri(origin), Doc.Get())).Status);
    }

    [Fact]
    public async Task ResetAt_SendsThatManyBytes()
    {
        await using FaultOrigin origin = FaultOrigin.Start();
        origin.Become(Fault.ResetAt(30));
        await using RawHttpClient client = await RawHttpClient.ConnectAsync(Uri(origin));
        await client.SendAsync(Doc.Get());
        (WireEnd end, string received) = await client.ReadEndAsync();
        Assert.Equal((WireEnd.Reset, 30), (end, received.Length));
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task HangAndAcceptOnly_NeverAnswer_AndOnlyTheFirstReads(bool reads)
    {
        await using FaultOrigin origin = FaultOrigin.Start();
        origin.Become(reads ? Fault.Hang : Fault.AcceptOnly);
        await using RawHttpClient client = await RawHttpClient.ConnectAsync(Uri(origin));
        await client.SendAsync(Doc.Get());
        if (reads) await Eventually.Until("the request is read", () => origin.Hits == 1);
        client.Deadline = TimeSpan.FromMilliseconds(200);
        await Assert.ThrowsAnyAsync<Exception>(() => client.ReadHeadAsync());
        Assert.Equal(reads ? 1 : 0, origin.Hits);
    }

    [Fact]
    public async Task APath_MayHaveAFaultOfItsOwn()
    {
        await using FaultOrigin origin = FaultOrigin.Start();
        origin.BecomeAt("/healthz", Fault.Status(500));
        Assert.Equal(500, (await RawHttpClient.OnceAsync(Uri(origin), Doc.Get("/healthz"))).Status);
        Assert.Equal(200, (await RawHttpClient.OnceAsync(Uri(origin), Doc.Get("/"))).Status);
        origin.BecomeAt("/healthz", null);
        Assert.Equal(200, (await RawHttpClient.OnceAsync(Uri(origin), Doc.Get("/healthz"))).Status);
    }

    [Fact]
    public async Task Flapping_GoesBackAndForth()
    {
        await using FaultOrigin origin = FaultOrigin.Start();
        origin.Become(Fault.Flapping(TimeSpan.FromMilliseconds(150), Fault.None, Fault.Status(500)));
        foreach (int status in (int[])[200, 500, 200])
            await Eventually.Until($"a {status}", async () => (await RawHttpClient.OnceAsync(Uri(origin), Doc.Get())).Status == status);
    }

    [Fact]
    public async Task Garbage_IsNoHttp()
    {
        await using FaultOrigin origin = FaultOrigin.Start();
        origin.Become(Fault.Garbage);
        await using RawHttpClient client = await RawHttpClient.ConnectAsync(Uri(origin));
        await client.SendAsync(Doc.Get());
        Assert.DoesNotContain("HTTP/1.1", (await client.ReadEndAsync()).Remainder, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData(OriginProtocol.Http1)]
    [InlineData(OriginProtocol.H2c)]
    [InlineData(OriginProtocol.Https)]
    [InlineData(OriginProtocol.Https1)]
    public async Task EveryProtocol_AnswersAndCounts(OriginProtocol protocol)
    {
        using var certificates = new TestCertificates();
        await using FaultOrigin origin = FaultOrigin.Start(protocol, certificates, "a");
        bool isHttp2 = protocol is OriginProtocol.H2c or OriginProtocol.Https, isSecure = protocol is OriginProtocol.Https or OriginProtocol.Https1;
        var address = new Uri($"{(isSecure ? "https" : "http")}://{origin.Address}");
        using HttpClient client = isHttp2 ? H2Client.Http2(address) : H2Client.Http1(address);
        async Task<(int Status, string Body)> PutAsync(string path)
        {
            using HttpResponseMessage response = await client.PutAsync(path, new StringContent(new string('x', 5000)));
            Assert.Equal("a", Assert.Single(response.Headers.GetValues("x-origin")));
            return ((int)response.StatusCode, await response.Content.ReadAsStringAsync());
        }
        Assert.Equal((200, "ok\n"), await PutAsync("/x?y"));
        origin.BecomeAt("/x", Fault.Status(503));
        Assert.Equal((503, "ok\n"), await PutAsync("/x"));
        origin.Become(Fault.SlowBody(TimeSpan.FromMilliseconds(5)));
        Assert.Equal((200, "ok\n"), await PutAsync("/"));
        Assert.Equal((3, 2, 1), (origin.Hits, origin.HitsAt("/x"), origin.HitsAt("/")));
        Assert.Equal(1, origin.Accepted);
    }

    [Fact]
    public async Task StaleAfter_ClosesAsTheNextRequestComes()
    {
        await using FaultOrigin origin = FaultOrigin.Start();
        origin.Become(Fault.StaleAfter(2));
        await using RawHttpClient client = await RawHttpClient.ConnectAsync(Uri(origin));
        for (int i = 0; i < 2; i++) Assert.Equal(200, (await client.RequestAsync(Doc.Get())).Status);
        await client.SendAsync(Doc.Get());
        Assert.NotEqual(WireEnd.Open, (await client.ReadEndAsync()).End);
        Assert.Equal(3, origin.Hits);
    }

    [Fact]
    public async Task FaultsOfStreams_AreFaultsOfThatStreamAlone()
    {
        using var certificates = new TestCertificates();
        await using FaultOrigin origin = FaultOrigin.Start(OriginProtocol.H2c, certificates);
        await using RawHttp2Client client = await RawHttp2Client.ConnectAsync(Uri(origin));
        async Task<Http2Frame?> AskAsync(int stream, Fault fault)
        {
            origin.Become(fault);
            await client.SendAsync(Http2Frame.Headers, RawHttp2Client.EndStream | RawHttp2Client.EndHeaders, stream, RawHttp2Client.Get("/x"));
            return await client.ReadOutcomeAsync(stream);
        }
        Http2Frame refused = (await AskAsync(1, Fault.RefuseStream))!;
        Assert.Equal((Http2Frame.RstStream, 7), (refused.Type, refused.Payload[3]));
        Assert.Equal(Http2Frame.Headers, (await AskAsync(3, Fault.ResetStreamAt(1)))!.Type);
        Http2Frame piece = (await client.ReadAsync())!, end = (await client.ReadAsync())!;
        Assert.Equal((Http2Frame.Data, 1, Http2Frame.RstStream, 2), (piece.Type, piece.Payload.Length, end.Type, end.Payload[3]));
        Assert.Equal(Http2Frame.Headers, (await AskAsync(5, Fault.None))!.Type);
        Http2Frame away = (await AskAsync(7, Fault.GoAway))!;
        Assert.Equal((Http2Frame.GoAway, 5), (away.Type, away.Payload[3]));
        Assert.Equal((4, 1), (origin.HitsAt("/x"), origin.Accepted));
    }
}
