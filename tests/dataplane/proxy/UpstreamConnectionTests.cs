using System.Net.Sockets;
using System.Text;
using Gateway.TestKit;
using Xunit;

namespace Gateway.DataPlane.Tests.Proxy;

/// <summary>Connections to upstreams: of other kinds, and those that the upstream has closed.</summary>
public sealed class UpstreamConnectionTests
{
    [Theory]
    [InlineData("GET / HTTP/1.1\r\nHost: a\r\n\r\n", false)]
    [InlineData("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\n\r\n", false)]
    // With a body, only what was closed before it was sent is certain not to have been processed.
    [InlineData("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhello", true)]
    public async Task ConnectionThatTheUpstreamClosedWhileIdle_FailsNoRequest(string request, bool afterTheClose)
    {
        int closed = 0;
        await using RawOrigin origin = RawOrigin.Start(async connection =>
        {
            // Closed without a word after each third response.
            for (int i = 0; i < 3 && await connection.ReadHeadAsync() is { } head; i++)
            {
                await connection.ReadBodyAsync(head);
                await connection.RespondAsync(200, "ok");
            }
            connection.Close();
            Interlocked.Increment(ref closed);
        });
        await using ProxyHost proxy = await ProxyHost.StartAsync(origin.Address);
        await using RawHttpClient client = await RawHttpClient.ConnectAsync(proxy.Address);
        for (int i = 0; i < 200; i++)
        {
            RawResponse response = await client.RequestAsync(request);
            Assert.True(response.Status == 200, $"{i}: {response}");
            if (afterTheClose && i % 3 == 2) await Eventually.Until("the connection is closed", () => Volatile.Read(ref closed) == (i / 3) + 1);
        }
    }

    [Fact]
    public async Task UnixSocketUpstream_IsReached()
    {
        using var folder = new TempFolder();
        string path = folder["origin.sock"];
        using var listener = new Socket(AddressFamily.Unix, SocketType.Stream, ProtocolType.Unspecified);
        listener.Bind(new UnixDomainSocketEndPoint(path));
        listener.Listen(1);
        await using ProxyHost proxy = await ProxyHost.StartAsync("unix:" + path);
        Task<RawResponse> request = RawHttpClient.OnceAsync(proxy.Address, "GET / HTTP/1.1\r\nHost: a\r\n\r\n");
        using Socket connection = await listener.AcceptAsync();
        byte[] buffer = new byte[4096];
        int n = await connection.ReceiveAsync(buffer);
        Assert.Contains("Host: a\r\n", Encoding.ASCII.GetString(buffer, 0, n), StringComparison.Ordinal);
        await connection.SendAsync("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"u8.ToArray());
        Assert.Equal("ok", (await request).Text);
    }
}
