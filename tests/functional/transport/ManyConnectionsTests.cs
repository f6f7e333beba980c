using System.Net;
using System.Net.Sockets;
using System.Text;
using Gateway.Functional.Tests.Load;
using Gateway.TestKit;
using Xunit;

namespace Gateway.Functional.Tests.Transport;

[Collection("load")]
public sealed class ManyConnectionsTests(TransportSites sites) : IClassFixture<TransportSites>
{
    [Theory]
    [InlineData("epoll", 10_000)]
    [InlineData("sockets", 2_000)]
    public async Task Connections_OpenedAndClosed_LeaveNoDescriptor(string transport, int connections)
    {
        GatewayProcess gateway = sites[transport];
        // What stays open for good is opened now: the connection to the admin listener, files, one idle connection to the origin for each loop.
        for (int i = 0; i < 16; i++) _ = await RawHttpClient.OnceAsync(gateway.Listener(), "GET /warm HTTP/1.1\r\nHost: h\r\n\r\n");
        await sites.QuietAsync(gateway);
        int before = gateway.Descriptors, idleBefore = await IdleAsync(gateway);

        const int atOnce = 50;
        for (int i = 0; i < connections / atOnce; i++)
        {
            await Task.WhenAll(Enumerable.Range(0, atOnce).Select(async n =>
            {
                await using RawHttpClient client = await RawHttpClient.ConnectAsync(gateway.Listener());
                switch (n % 5)
                {
                    case 0: break;
                    case 1: client.Reset(); break;
                    case 2: await client.SendAsync("GET / HT"); break;
                    default: Assert.Equal(200, (await client.RequestAsync("GET /x HTTP/1.1\r\nHost: h\r\n\r\n")).Status); break;
                }
            }));
        }
        await sites.QuietAsync(gateway);
        // Idle connections to the origin are kept on purpose: not more than could be in use at once, here or in a test before.
        int idle = await IdleAsync(gateway);
        Assert.InRange(idle, 0, Math.Max(atOnce, idleBefore));
        // The runtime opens one or two of its own when it likes.
        const int slack = 4;
        int after = 0;
        try { await Eventually.Until("the descriptors are back where they were", () => (after = gateway.Descriptors) <= before + idle - idleBefore + slack); }
        catch (TimeoutException) { Assert.Fail($"{after} descriptors, of which {idle} to the origin; before there were {before}"); }
    }

    private static async Task<int> IdleAsync(GatewayProcess gateway) => (int)(await gateway.MetricsAsync()).Sum("gateway_upstream_connections");

    [Theory]
    [InlineData("epoll", 20)]
    [InlineData("sockets", 64)]
    public async Task SlowReaders_CostTheGatewayLittleMemory(string transport, int megabytes)
    {
        const int readers = 64;
        GatewayProcess gateway = sites[transport];
        await Task.WhenAll(Enumerable.Range(0, 8).Select(_ => RawHttpClient.OnceAsync(gateway.Listener(), "GET /large HTTP/1.1\r\nHost: h\r\n\r\n")));
        long resident = gateway.Rss, sent = sites.LargeBytesSent;

        Socket[] sockets = new Socket[readers];
        for (int i = 0; i < readers; i++)
        {
            sockets[i] = new Socket(SocketType.Stream, ProtocolType.Tcp) { ReceiveBufferSize = 16 * 1024 };
            await sockets[i].ConnectAsync(IPAddress.Loopback, gateway.Listener().Port);
            await sockets[i].SendAsync(Encoding.ASCII.GetBytes($"GET /large HTTP/1.1\r\nHost: h\r\nId: slow-{transport}-{i}\r\nConnection: close\r\n\r\n"));
        }
        for (int i = 0; i < readers; i++) _ = await sites.ArrivedAsync($"slow-{transport}-{i}");
        long last = -1;
        int same = 0;
        await Eventually.Until("the origin can send no more", () =>
        {
            same = sites.LargeBytesSent == last ? same + 1 : 0;
            last = sites.LargeBytesSent;
            return same == 25;
        });
        Assert.True(last - sent < readers * (long)TransportSites.LargeBody, $"{(last - sent) >> 20} MB went although nobody read: nobody was held back");
        Assert.True(gateway.Rss - resident < megabytes << 20, $"{(gateway.Rss - resident) >> 10} KB more for {readers} readers that do not read");

        byte[] buffer = new byte[64 * 1024];
        foreach (Socket socket in sockets)
        {
            long read = 0;
            for (int n; (n = await socket.ReceiveAsync(buffer)) > 0;) read += n;
            Assert.InRange(read, TransportSites.LargeBody + 1, TransportSites.LargeBody + 2000);
            socket.Dispose();
        }
        await sites.QuietAsync(gateway);
    }
}
