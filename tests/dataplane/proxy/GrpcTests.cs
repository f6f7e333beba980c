using Gateway.Config;
using Gateway.TestKit;
using Xunit;

namespace Gateway.DataPlane.Tests.Proxy;

public sealed class GrpcTests
{
    private static async Task<(HttpOrigin, ProxyHost)> StartAsync()
    {
        HttpOrigin origin = await HttpOrigin.StartH2cAsync();
        return (origin, await ProxyHost.StartAsync(origin.Address, new ProxyOptions { Protocol = UpstreamProtocol.Grpc }));
    }

    [Fact]
    public async Task Unary_AndItsTrailers_GoThrough()
    {
        (HttpOrigin origin, ProxyHost proxy) = await StartAsync();
        await using (origin)
        await using (proxy)
        {
            using HttpMessageInvoker client = GrpcCall.Client();
            await using GrpcCall call = GrpcCall.Start(client, proxy.Http2Address, "/test.Echo/Unary");
            await call.WriteAsync("hi");
            call.CompleteRequests();
            Assert.Equal("echo: hi", await call.ReadAsync());
            GrpcEnd end = await call.EndAsync();
            Assert.Equal((0, false), (end.Status, end.InHeaders));
            Assert.Equal("origin", end.Trailers.GetValues("x-origin-trailer").Single());
            Assert.Equal("trailers", origin.LastRequest["te"]);
        }
    }

    [Fact]
    public async Task ThreeStreamings_GoThrough_MessageByMessage()
    {
        (HttpOrigin origin, ProxyHost proxy) = await StartAsync();
        await using (origin)
        await using (proxy)
        {
            using HttpMessageInvoker client = GrpcCall.Client();
            await using (GrpcCall server = GrpcCall.Start(client, proxy.Http2Address, "/test.Echo/ServerStream", null, ("x-gate", "s")))
            {
                await server.WriteAsync("3");
                server.CompleteRequests();
                for (int i = 1; i <= 3; i++)
                {
                    origin.Gate("s").LetPass();
                    Assert.Equal($"{i}", await server.ReadAsync());
                }
                Assert.Equal(0, (await server.EndAsync()).Status);
            }
            await using (GrpcCall upload = GrpcCall.Start(client, proxy.Http2Address, "/test.Echo/ClientStream"))
            {
                for (int i = 1; i <= 3; i++) await upload.WriteAsync($"{i}");
                upload.CompleteRequests();
                Assert.Equal("1,2,3", await upload.ReadAsync());
                Assert.Equal(0, (await upload.EndAsync()).Status);
            }
            await using (GrpcCall bidi = GrpcCall.Start(client, proxy.Http2Address, "/test.Echo/Bidi"))
            {
                for (int i = 1; i <= 3; i++)
                {
                    await bidi.WriteAsync($"{i}");
                    Assert.Equal($"echo: {i}", await bidi.ReadAsync());
                }
                bidi.CompleteRequests();
                Assert.Equal(0, (await bidi.EndAsync()).Status);
            }
            await Eventually.Until("nothing is in flight", () => proxy.InFlight == 0 && proxy.UpstreamInFlight == 0);
            Assert.Empty(proxy.Log.Errors);
        }
    }

    [Fact]
    public async Task TrailersOnly_StaysTrailersOnly()
    {
        (HttpOrigin origin, ProxyHost proxy) = await StartAsync();
        await using (origin)
        await using (proxy)
        {
            using HttpMessageInvoker client = GrpcCall.Client();
            await using GrpcCall call = GrpcCall.Start(client, proxy.Http2Address, "/test.Echo/TrailersOnly");
            call.CompleteRequests();
            GrpcEnd end = await call.EndAsync();
            Assert.Equal((5, "no such thing", true), (end.Status, end.Message, end.InHeaders));
        }
    }

    [Fact]
    public async Task StatusAfterAMessage_AndTheDeadline_GoThrough()
    {
        (HttpOrigin origin, ProxyHost proxy) = await StartAsync();
        await using (origin)
        await using (proxy)
        {
            using HttpMessageInvoker client = GrpcCall.Client();
            await using GrpcCall fail = GrpcCall.Start(client, proxy.Http2Address, "/test.Echo/Fail", null, ("x-status", "9"));
            fail.CompleteRequests();
            Assert.Equal("before the failure", await fail.ReadAsync());
            Assert.Equal((9, "as asked"), ((await fail.EndAsync()).Status, (await fail.EndAsync()).Message));
            await using GrpcCall deadline = GrpcCall.Start(client, proxy.Http2Address, "/test.Echo/Deadline", null, ("grpc-timeout", "1S"));
            deadline.CompleteRequests();
            // What is left of it.
            Assert.Matches("^9[0-9]{5}u$", await deadline.ReadAsync());
        }
    }

    [Fact]
    public async Task Cancel_ReachesTheUpstream()
    {
        (HttpOrigin origin, ProxyHost proxy) = await StartAsync();
        await using (origin)
        await using (proxy)
        {
            using HttpMessageInvoker client = GrpcCall.Client();
            await using GrpcCall call = GrpcCall.Start(client, proxy.Http2Address, "/test.Echo/Bidi");
            await call.WriteAsync("1");
            Assert.Equal("echo: 1", await call.ReadAsync());
            await call.CancelAsync();
            (await call.ResponseAsync()).Dispose();
            await Eventually.Until("the origin sees the cancel", () => origin.Aborted == 1);
            await Eventually.Until("nothing is in flight", () => proxy.InFlight == 0 && proxy.UpstreamInFlight == 0);
            Assert.Empty(proxy.Log.Errors);
        }
    }
}
