using System.Net;
using System.Net.Sockets;
using Gateway.Config;
using Gateway.TestKit;
using Xunit;

namespace Gateway.DataPlane.Tests.Server;

public sealed class ProtocolTests
{
    [Fact]
    public async Task ClearTextPort_SpeaksHttp1_AndHttp2ByPriorKnowledge()
    {
        await using RunningHost running = new();
        await running.ApplyAsync(RunningHost.Listener());
        using HttpClient http2 = H2Client.Http2();
        Assert.Equal("v1 web HTTP/2", await http2.GetStringAsync(running.Address()));
        Assert.Equal("v1 web HTTP/1.1", (await RawHttpClient.OnceAsync(running.Address(), Requests.Get)).Text);
    }

    [Theory]
    [InlineData("P", "OST / HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\n\r\n")]
    [InlineData("PR", "OPFIND / HTTP/1.1\r\nHost: a\r\n\r\n")]
    [InlineData("", "GET / HTTP/1.1\r\nHost: a\r\n\r\n")]
    public async Task RequestThatComesInPieces_IsTakenForWhatItIs(string first, string rest)
    {
        await using RunningHost running = new();
        await running.ApplyAsync(RunningHost.Listener());
        await using RawHttpClient client = await running.ConnectAsync();
        await client.SendAsync(first);
        await Eventually.Until("the connection is open", () => running.Status().Connections == 1);
        Assert.Equal("v1 web HTTP/1.1", (await client.RequestAsync(rest)).Text);
    }

    [Fact]
    public async Task PrefaceThatComesInPieces_IsHttp2()
    {
        await using RunningHost running = new();
        await running.ApplyAsync(RunningHost.Listener());
        await using RawHttpClient client = await running.ConnectAsync();
        await client.SendAsync("PR");
        await Eventually.Until("the connection is open", () => running.Status().Connections == 1);
        await client.SendAsync("I * HTTP/2.0\r\n\r\nSM\r\n\r\n");
        await client.SendAsync(new byte[] { 0, 0, 0, 4, 0, 0, 0, 0, 0 });
        // The server's SETTINGS: a frame header of type 4 on stream 0.
        byte[] header = await client.ReadAsync(9);
        Assert.Equal((4, 0), (header[3], header[8]));
    }

    [Fact]
    public async Task ListenerWithoutHttp2_RefusesThePreface()
    {
        await using RunningHost running = new();
        await running.ApplyAsync(RunningHost.Listener() with { Http2 = false });
        await using RawHttpClient client = await running.ConnectAsync();
        await client.SendAsync("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n");
        // Kestrel answers in HTTP/2 that it wants HTTP/1.1: GOAWAY, type 7, and no SETTINGS, type 4.
        Assert.DoesNotContain("\0\0\u0004\0", (await client.ReadEndAsync()).Remainder, StringComparison.Ordinal);
    }

    [Fact]
    public async Task ConnectionThatSendsNothing_IsClosedAfterTheIdleTimeout()
    {
        await using RunningHost running = new();
        await running.ApplyAsync(RunningHost.Listener() with { Limits = new() { IdleTimeout = TimeSpan.FromMilliseconds(200) } });
        await using RawHttpClient client = await running.ConnectAsync();
        Assert.Equal("", (await client.ReadEndAsync()).Remainder);
    }

    [Fact]
    public async Task Ipv6Any_TakesIpv4Too()
    {
        Assert.SkipUnless(Socket.OSSupportsIPv6, "this machine has no IPv6");
        await using RunningHost running = new();
        await running.ApplyAsync(RunningHost.Listener(address: "[::]:0"));
        int port = new Uri($"http://{running.Status().BoundAddress}/").Port;
        Assert.Equal(200, (await RawHttpClient.OnceAsync(new Uri($"http://127.0.0.1:{port}/"), Requests.Get)).Status);
    }

    [Fact]
    public async Task UnixSocket_Serves_AndAStaleFileIsRemoved_AndTheFileGoesWithTheListener()
    {
        await using RunningHost running = new();
        string path = running.Folder["gateway.sock"];
        using (Socket stale = new(AddressFamily.Unix, SocketType.Stream, ProtocolType.Unspecified))
        {
            // .NET removes the file of a socket that it closes, if it finds it.
            stale.Bind(new UnixDomainSocketEndPoint(path + ".old"));
            File.Move(path + ".old", path);
        }
        Assert.True(File.Exists(path));

        await running.ApplyAsync(RunningHost.Listener(address: "unix:gateway.sock"));
        await using (RawHttpClient client = await RawHttpClient.ConnectUnixAsync(path)) Assert.Equal(200, (await client.RequestAsync(Requests.Get)).Status);
        await running.ApplyAsync();
        Assert.False(File.Exists(path));
    }

    [Fact]
    public async Task UnixPathThatIsAFile_OrSomeoneElsesSocket_IsLeftAlone()
    {
        await using RunningHost running = new();
        File.WriteAllText(running.Folder["empty"], "");
        using Socket other = new(AddressFamily.Unix, SocketType.Stream, ProtocolType.Unspecified);
        other.Bind(new UnixDomainSocketEndPoint(running.Folder["other.sock"]));
        other.Listen();
        foreach (string name in new[] { "empty", "other.sock" })
        {
            ConfigError error = Assert.Single(await running.TryApplyAsync(RunningHost.Document(RunningHost.Listener(address: $"unix:{name}"))));
            Assert.Equal(("listeners[0].address", "bind_failed"), (error.Path, error.Code));
            Assert.True(File.Exists(running.Folder[name]));
        }
    }

    [Theory]
    [InlineData("example.com:80")]
    [InlineData("127.0.0.1")]
    [InlineData("127.0.0.1:65536")]
    [InlineData("::1:80")]
    [InlineData("1.2.3:80")]
    [InlineData("unix:")]
    public async Task AddressThatIsNone_IsRefusedWithTheFix(string address)
    {
        await using RunningHost running = new();
        ConfigError error = Assert.Single(await running.TryApplyAsync(RunningHost.Document(RunningHost.Listener(address: address))));
        Assert.Equal(("listeners[0].address", "invalid_value"), (error.Path, error.Code));
    }
}
