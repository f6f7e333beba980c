using System.Net;
using System.Net.WebSockets;
using Gateway.Config;
using Gateway.DataPlane.Server;
using Gateway.TestKit;
using Microsoft.Extensions.Logging.Abstractions;
using Xunit;

namespace Gateway.DataPlane.Tests.Server;

/// <summary>The minimum rate of request bodies, through the whole data plane: after its grace of 5 s it ends uploads, and nothing else.</summary>
public sealed class QuietStreamTests
{
    [Fact]
    public async Task SilenceLongerThanTheGrace_EndsAnUpload_AndNoGrpcStreamAndNoWebSocket()
    {
        await using HttpOrigin h2 = await HttpOrigin.StartH2cAsync();
        await using HttpOrigin h1 = await HttpOrigin.StartAsync();
        using TempFolder folder = new();
        await using DataPlaneHost host = new(new DataPlaneOptions(folder.Root, NullLoggerFactory.Instance, TimeProvider.System));
        GatewayConfig config = RunningHost.Document(RunningHost.Listener()) with
        {
            Routes = [CompilerTests.Route("grpc", "h2", "/test.Echo"), CompilerTests.Route("rest", "h1")],
            Pools = new Dictionary<string, PoolConfig>
            {
                ["h2"] = CompilerTests.Pool(h2.Address) with { Protocol = UpstreamProtocol.Grpc },
                ["h1"] = CompilerTests.Pool(h1.Address),
            },
        };
        Assert.Empty(await host.PublishAsync(host.Compile(config, "v1", "test").Snapshot!, TestContext.Current.CancellationToken));
        Uri address = new($"http://{host.Listeners()[0].BoundAddress}/");

        using HttpMessageInvoker grpcClient = GrpcCall.Client();
        await using GrpcCall stream = GrpcCall.Start(grpcClient, address, "/test.Echo/Bidi");
        await stream.WriteAsync("one");
        string? first = await stream.ReadAsync();
        using ClientWebSocket socket = await H2Client.OpenWebSocketAsync(new Uri(address, "/ws"), HttpVersion.Version11);
        using ClientWebSocket socket2 = await H2Client.OpenWebSocketAsync(new Uri(address, "/ws"), HttpVersion.Version20);
        string before = await socket.ExchangeAsync("one"), before2 = await socket2.ExchangeAsync("one");

        // The upload's end says that the grace is over for all of them: they began before it.
        await using RawHttpClient upload = await RawHttpClient.ConnectAsync(address);
        await upload.SendAsync("POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 1000\r\n\r\nx");
        await upload.ReadEndAsync();

        Assert.Equal(before, await socket.ExchangeAsync("one"));
        Assert.Equal(before2, await socket2.ExchangeAsync("one"));
        await stream.WriteAsync("one");
        Assert.Equal(first, await stream.ReadAsync());
        stream.CompleteRequests();
        Assert.Equal(0, (await stream.EndAsync()).Status);
    }
}
