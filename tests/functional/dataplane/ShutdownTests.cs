using System.Diagnostics;
using System.Net;
using System.Net.Sockets;
using System.Runtime.InteropServices;
using Gateway.Functional.Tests.Harness;
using Gateway.TestKit;
using Xunit;

namespace Gateway.Functional.Tests.DataPlane;

/// <summary>SIGTERM: not ready, then no new connections, then the end of what is in flight; nothing is lost within the grace time.</summary>
[Collection("timing")]
public sealed class ShutdownTests
{
    private static string Config(string address, string drain, string grace) =>
        Doc.Of(Doc.Route("all"), Doc.Pool("main", address), more: $"\"shutdown\": {{ \"drain\": \"{drain}\", \"grace\": \"{grace}\" }}");

    [Theory]
    [InlineData(PosixSignal.SIGTERM)]
    [InlineData(PosixSignal.SIGINT)]
    public async Task InFlightRequests_AreFinishedAndTheExitIsClean(PosixSignal signal)
    {
        await using HttpOrigin origin = await HttpOrigin.StartAsync();
        await using GatewayProcess gateway = await GatewayProcess.StartAsync(Config(origin.Address, "1s", "20s"));
        Uri web = gateway.Listener();
        await using RawHttpClient download = await RawHttpClient.ConnectAsync(web);
        await download.SendAsync(Doc.Get("/half?gate=g"));
        RawResponse half = (await download.ReadHeadAsync())!;
        await using RawHttpClient waiting = await RawHttpClient.ConnectAsync(web);
        await waiting.SendAsync(Doc.Get("/hold?gate=g"));
        using HttpClient h2 = H2Client.Http2(web);
        Task<HttpResponseMessage> overHttp2 = h2.GetAsync("/hold?gate=g");
        await origin.Gate("g").WaitForArrivalAsync(3);
        await using RawHttpClient idle = await RawHttpClient.ConnectAsync(web);
        _ = await idle.RequestAsync(Doc.Get());

        gateway.Signal(signal);
        await Eventually.Until("readyz is 503", async () => (await gateway.GetAsync("/readyz")).Status == HttpStatusCode.ServiceUnavailable);
        // In the drain time new connections are still served.
        Assert.Equal(200, (await RawHttpClient.OnceAsync(web, Doc.Get())).Status);
        await Eventually.Until("new connections are refused", async () =>
        {
            try { await using RawHttpClient refused = await RawHttpClient.ConnectAsync(web); return false; }
            catch (SocketException) { return true; }
        });
        Assert.NotEqual(WireEnd.Open, (await idle.ReadEndAsync()).End);
        Assert.False(gateway.HasExited);
        origin.Gate("g").Open();
        await download.ReadBodyAsync(half);
        Assert.Equal(("first second", true), (half.Text, half.IsWhole));
        RawResponse answer = await waiting.ReadResponseAsync();
        Assert.Equal((200, "close"), (answer.Status, answer["connection"]));
        Assert.Equal(HttpStatusCode.OK, (await overHttp2).StatusCode);
        Assert.Equal(0, await gateway.WaitForExitAsync());
    }

    [Fact]
    public async Task BeyondTheGrace_TheRestIsAbortedAndCounted()
    {
        await using HttpOrigin origin = await HttpOrigin.StartAsync();
        await using GatewayProcess gateway = await GatewayProcess.StartAsync(Config(origin.Address, "0s", "1s"));
        await using RawHttpClient download = await RawHttpClient.ConnectAsync(gateway.Listener());
        await download.SendAsync(Doc.Get("/half?gate=never"));
        RawResponse half = (await download.ReadHeadAsync())!;
        await origin.Gate("never").WaitForArrivalAsync();
        long start = Stopwatch.GetTimestamp();
        Assert.Equal(0, await gateway.StopAsync());
        Assert.InRange(Stopwatch.GetElapsedTime(start).TotalSeconds, 0.9, 8);
        await download.ReadBodyAsync(half);
        Assert.Equal(BodyEnd.Died, half.End);
        Assert.Contains(gateway.Error, l => l.Contains("aborted", StringComparison.OrdinalIgnoreCase) && l.Contains('1', StringComparison.Ordinal));
    }

    [Fact]
    public async Task Idle_ItStopsRightAfterTheDrain()
    {
        await using HttpOrigin origin = await HttpOrigin.StartAsync();
        await using GatewayProcess gateway = await GatewayProcess.StartAsync(Config(origin.Address, "0s", "30s"));
        await using RawHttpClient idle = await RawHttpClient.ConnectAsync(gateway.Listener());
        _ = await idle.RequestAsync(Doc.Get());
        long start = Stopwatch.GetTimestamp();
        Assert.Equal(0, await gateway.StopAsync());
        Assert.InRange(Stopwatch.GetElapsedTime(start).TotalSeconds, 0, 5);
    }

    [Fact]
    public async Task UnderLoad_NoRequestThatWasAcceptedFails()
    {
        await using HttpOrigin origin = await HttpOrigin.StartAsync();
        origin.Record = false;
        await using GatewayProcess gateway = await GatewayProcess.StartAsync(Doc.Of(Doc.Route("all"), Doc.Pool("main", origin.Address),
            more: "\"shutdown\": { \"drain\": \"500ms\", \"grace\": \"20s\" }, " + Doc.NoAccessLog));
        Uri web = gateway.Listener();
        int served = 0;
        Task<string?>[] clients = [.. Enumerable.Range(0, 16).Select(_ => Task.Run<string?>(async () =>
        {
            while (true)
            {
                RawHttpClient client;
                try { client = await RawHttpClient.ConnectAsync(web); }
                catch (SocketException) { return null; }
                await using (client)
                {
                    while (true)
                    {
                        RawResponse response;
                        try { response = await client.RequestAsync(Doc.Get("/bytes/2000")); }
                        catch (IOException)
                        {
                            // The connection ended without a byte of an answer. A client that reused an idle connection retries; a fresh one was accepted and lost.
                            break;
                        }
                        if (response.Status != 200 || !response.IsWhole) return response.ToString();
                        _ = Interlocked.Increment(ref served);
                        if (response["connection"] == "close") break;
                    }
                }
            }
        }))];
        await Eventually.Until("traffic flows", () => Volatile.Read(ref served) > 200);
        Assert.Equal(0, await gateway.StopAsync());
        Assert.All(await Task.WhenAll(clients), Assert.Null);
    }
}
