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
}
