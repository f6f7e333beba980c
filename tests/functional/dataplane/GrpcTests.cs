using System.Net;
using Gateway.Functional.Tests.Harness;
using Gateway.TestKit;
using Xunit;

namespace Gateway.Functional.Tests.DataPlane;

/// <summary>gRPC over raw HTTP/2, end to end: messages as they come, trailers, deadlines, cancel, and the gateway's own errors as grpc-status.</summary>
public sealed class GrpcTests(Site site) : IClassFixture<Site>, IDisposable
{
    private readonly HttpMessageInvoker _client = GrpcCall.Client();

    private GrpcCall Call(string method, params (string, string)[] headers) =>
        GrpcCall.Start(_client, site.Web, "/test.Echo/" + method, "grpc.test", headers);

    public void Dispose() => _client.Dispose();

    [Fact]
    public async Task Unary_ReturnsMessageStatusAndTrailers()
    {
        await using GrpcCall call = Call("Unary");
        await call.WriteAsync("hello");
        call.CompleteRequests();
        Assert.Equal("application/grpc", (await call.ResponseAsync()).Content.Headers.ContentType?.MediaType);
        Assert.Equal("echo: hello", await call.ReadAsync());
        GrpcEnd end = await call.EndAsync();
        Assert.Equal((0, false, "h2c"), (end.Status!.Value, end.InHeaders, end.Trailers.GetValues("x-origin-trailer").Single()));
    }

    [Fact]
    public async Task ServerStream_DeliversEachMessageAsItIsSent()
    {
        await using GrpcCall call = Call("ServerStream", ("x-gate", "grpc-server-stream"));
        await call.WriteAsync("3");
        call.CompleteRequests();
        for (int i = 1; i <= 3; i++)
        {
            site.H2c.Gate("grpc-server-stream").LetPass();
            Assert.Equal($"{i}", await call.ReadAsync());
        }
        Assert.Equal(0, (await call.EndAsync()).Status);
    }

    [Fact]
    public async Task ClientStream_CollectsAllMessages()
    {
        await using GrpcCall call = Call("ClientStream");
        foreach (string part in (string[])["a", "b", "c"]) await call.WriteAsync(part);
        call.CompleteRequests();
        Assert.Equal("a,b,c", await call.ReadAsync());
        Assert.Equal(0, (await call.EndAsync()).Status);
    }

    [Fact]
    public async Task Bidi_AnswersBeforeTheClientHasEnded()
    {
        await using GrpcCall call = Call("Bidi");
        for (int i = 0; i < 50; i++)
        {
            await call.WriteAsync($"{i}");
            Assert.Equal($"echo: {i}", await call.ReadAsync());
        }
        call.CompleteRequests();
        Assert.Equal(0, (await call.EndAsync()).Status);
    }

    [Fact]
    public async Task TrailersOnly_StaysTrailersOnly()
    {
        await using GrpcCall call = Call("Missing");
        call.CompleteRequests();
        GrpcEnd end = await call.EndAsync();
        Assert.Equal((5, "no such thing", true), (end.Status!.Value, end.Message, end.InHeaders));
    }

    [Fact]
    public async Task StatusAfterMessages_ComesInTheTrailers()
    {
        await using GrpcCall call = Call("Fail", ("x-status", "9"));
        call.CompleteRequests();
        Assert.Equal("before the failure", await call.ReadAsync());
        GrpcEnd end = await call.EndAsync();
        Assert.Equal((9, "as asked", false), (end.Status!.Value, end.Message, end.InHeaders));
    }

    [Fact]
    public async Task Deadline_IsPassedOn_LessWhatHasPassed()
    {
        await using GrpcCall call = Call("Deadline", ("grpc-timeout", "7S"));
        call.CompleteRequests();
        Assert.Matches("^6[0-9]{6}u$", await call.ReadAsync());
        Assert.Equal(0, (await call.EndAsync()).Status);
    }

    [Fact]
    public async Task Cancel_ReachesTheUpstream()
    {
        int aborted = site.H2c.Aborted, arrived = site.H2c.Gate("grpc-hang").Arrived;
        await using GrpcCall call = Call("Hang");
        await call.WriteAsync("x");
        await site.H2c.Gate("grpc-hang").WaitForArrivalAsync(arrived + 1);
        await call.CancelAsync();
        await Eventually.Until("the upstream sees the cancel", () => site.H2c.Aborted > aborted);
    }

    [Fact]
    public async Task HundredCallsAtOnce_ShareConnections()
    {
        string?[] answers = await Task.WhenAll(Enumerable.Range(0, 100).Select(async i =>
        {
            await using GrpcCall call = Call("Unary");
            await call.WriteAsync($"{i}");
            call.CompleteRequests();
            string? answer = await call.ReadAsync();
            Assert.Equal(0, (await call.EndAsync()).Status);
            return answer;
        }));
        Assert.Equal(Enumerable.Range(0, 100).Select(i => $"echo: {i}"), answers);
        Assert.InRange(site.H2c.ConnectionCount, 1, 10);
    }

    [Fact]
    public async Task GatewayErrors_AreMappedToGrpcStatus()
    {
        await using GatewayProcess gateway = await GatewayProcess.StartAsync(Doc.Of(
            routes: $"{Doc.Route("dead", Doc.Host("dead.test"), "dead")}, {Doc.Route("slow", Doc.Host("slow.test"), "slow", "\"timeouts\": { \"attempt\": \"200ms\" }")}",
            pools: $"{Doc.PoolWith("dead", "\"protocol\": \"grpc\"", RawOrigin.RefusedAddress())}, {Doc.PoolWith("slow", "\"protocol\": \"grpc\"", site.H2c.Address)}"));
        foreach ((string host, int status) in ((string, int)[])[("none.test", 12), ("dead.test", 14), ("slow.test", 4)])
        {
            await using GrpcCall call = GrpcCall.Start(_client, gateway.Listener(), "/test.Echo/Hang", host);
            call.CompleteRequests();
            HttpResponseMessage response = await call.ResponseAsync();
            Assert.Equal((HttpStatusCode.OK, "application/grpc"), (response.StatusCode, response.Content.Headers.ContentType?.MediaType));
            Assert.Equal(status, (await call.EndAsync()).Status);
        }
    }

    [Fact]
    public async Task UpstreamDyingInAStream_IsNotACleanEnd()
    {
        site.H2c.Map("/test.Echo/Dies", async http =>
        {
            http.Response.ContentType = "application/grpc";
            await http.Response.Body.WriteAsync(GrpcFrames.Frame("one"u8));
            await http.Response.Body.FlushAsync();
            await site.H2c.Gate("grpc-die").PassAsync();
            http.Abort();
        });
        await using GrpcCall call = Call("Dies");
        Assert.Equal("one", await call.ReadAsync());
        site.H2c.Gate("grpc-die").Open();
        // Either the stream is reset, or the gateway ends it with a status that is not OK.
        GrpcEnd? end = null;
        Exception? error = await Record.ExceptionAsync(async () => end = await call.EndAsync());
        Assert.True(error is HttpRequestException or IOException || end is { Status: > 0 }, $"{error} {end}");
    }
}
