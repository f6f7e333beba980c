using System.Net;
using System.Text;
using Gateway.Config;
using Gateway.DataPlane.Server;
using Gateway.TestKit;
using Xunit;

namespace Gateway.DataPlane.Tests.Server;

public sealed class ProxyProtocolTests
{
    private const string Peer = "GET /peer HTTP/1.1\r\nHost: a\r\n\r\n";
    private const string V1 = "PROXY TCP4 192.0.2.1 198.51.100.7 56324 443\r\n";

    private static readonly byte[] V2 =
    [
        .. "\r\n\r\n\0\r\nQUIT\n"u8, 0x21, 0x11, 0, 15, 192, 0, 2, 1, 198, 51, 100, 7, 0xDC, 0x04, 0x01, 0xBB, 0x04, 0, 0,
    ];

    private static ListenerConfig Listener(ProxyProtocolMode mode, params string[] trusted) =>
        RunningHost.Listener() with { ProxyProtocol = mode, TrustedProxies = trusted };

    private static double Faults(RunningHost host, string reason) =>
        Obs.Scrape.Of(host.Host.Metrics)[$"gateway_proxy_protocol_errors_total{{listener=\"web\",reason=\"{reason}\"}}"];

    [Theory]
    [InlineData(TransportKind.Auto)]
    [InlineData(TransportKind.Sockets)]
    public async Task The_client_is_who_the_header_names_wherever_the_bytes_are_split(TransportKind transport)
    {
        await using RunningHost host = new(transport);
        await host.ApplyAsync(Listener(ProxyProtocolMode.Required));
        foreach (byte[] header in (byte[][])[Encoding.ASCII.GetBytes(V1), V2])
        {
            byte[] bytes = [.. header, .. Encoding.ASCII.GetBytes(Peer)];
            for (int split = 1; split <= header.Length + 3; split++)
            {
                await using RawHttpClient client = await host.ConnectAsync();
                await client.SendAsync(bytes.AsMemory(0, split));
                await Task.Yield();
                await client.SendAsync(bytes.AsMemory(split));
                Assert.Equal("192.0.2.1 56324 198.51.100.7 443", (await client.ReadResponseAsync()).Text);
                // For the connection, not for the request.
                if (split == 1) Assert.Equal("192.0.2.1 56324 198.51.100.7 443", (await client.RequestAsync(Peer)).Text);
            }
        }
    }

    [Theory]
    [InlineData("PROXY TCP6 2001:db8::1 ::1 1 2\r\n", "2001:db8::1 1 ::1 2")]
    [InlineData("PROXY TCP6 ::ffff:192.0.2.1 ::1 1 2\r\n", "192.0.2.1 1 ::1 2")]
    public async Task The_client_may_be_of_another_family_than_the_listener(string header, string peer)
    {
        await using RunningHost host = new();
        await host.ApplyAsync(Listener(ProxyProtocolMode.Required));
        await using RawHttpClient client = await host.ConnectAsync();
        Assert.Equal(peer, (await client.RequestAsync(header + Peer)).Text);
    }

    [Theory]
    [InlineData("PROXY UNKNOWN\r\n")]
    [InlineData("\r\n\r\n\0\r\nQUIT\n\x20\0\0\0")]
    [InlineData("\r\n\r\n\0\r\nQUIT\n\x21\0\0\0")]
    public async Task A_header_that_names_nobody_leaves_the_balancers_own_address(string header)
    {
        await using RunningHost host = new();
        await host.ApplyAsync(Listener(ProxyProtocolMode.Required));
        await using RawHttpClient client = await host.ConnectAsync();
        Assert.StartsWith("127.0.0.1 ", (await client.RequestAsync(header + Peer)).Text);
    }

    [Fact]
    public async Task A_client_behind_a_Unix_socket_has_no_address()
    {
        await using RunningHost host = new();
        await host.ApplyAsync(Listener(ProxyProtocolMode.Required));
        await using RawHttpClient client = await host.ConnectAsync();
        await client.SendAsync((byte[])[.. "\r\n\r\n\0\r\nQUIT\n"u8, 0x21, 0x31, 0, 216, .. new byte[216]]);
        Assert.StartsWith(" 0 127.0.0.1 ", (await client.RequestAsync(Peer)).Text);
    }

    [Fact]
    public async Task Without_a_header_required_closes_and_optional_serves()
    {
        await using RunningHost host = new();
        await host.ApplyAsync(Listener(ProxyProtocolMode.Required));
        await using (RawHttpClient client = await host.ConnectAsync())
        {
            await client.SendAsync(Peer);
            Assert.Equal("", (await client.ReadEndAsync()).Remainder);
        }
        Assert.Equal(1, Faults(host, "missing"));

        // A connection finds the settings of the moment; the server is the same.
        await host.ApplyAsync(Listener(ProxyProtocolMode.Optional));
        await using RawHttpClient plain = await host.ConnectAsync();
        Assert.StartsWith("127.0.0.1 ", (await plain.RequestAsync(Peer)).Text);
        await using RawHttpClient named = await host.ConnectAsync();
        Assert.StartsWith("192.0.2.1 ", (await named.RequestAsync(V1 + Peer)).Text);
        // Each begins as the header does.
        foreach (string method in (string[])["PUT", "PROPFIND", "PATCH"])
        {
            await using RawHttpClient similar = await host.ConnectAsync();
            Assert.Equal(200, (await similar.RequestAsync($"{method} / HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\n\r\n")).Status);
        }
    }

    [Fact]
    public async Task Switched_off_a_header_is_no_HTTP()
    {
        await using RunningHost host = new();
        await host.ApplyAsync(Listener(ProxyProtocolMode.Off));
        await using RawHttpClient client = await host.ConnectAsync();
        Assert.Equal(400, (await client.RequestAsync(V1 + Peer)).Status);
    }

    [Theory]
    [InlineData("PROXY TCP4 1.1.1.1\r\n")]
    [InlineData("PROXY TCP4 1.1.1.1 1.1.1.1 1 1\n")]
    [InlineData("\r\n\r\n\0\r\nQUIT\n\x31")]
    [InlineData("\r\n\r\n\0\r\nQUIT\n\x21\x11\xff\xff")]
    public async Task A_malformed_header_closes_the_connection_and_is_counted(string header)
    {
        await using RunningHost host = new();
        await host.ApplyAsync(Listener(ProxyProtocolMode.Optional));
        await using RawHttpClient client = await host.ConnectAsync();
        await client.SendAsync(header + Peer);
        Assert.Equal("", (await client.ReadEndAsync()).Remainder);
        Assert.Equal(1, Faults(host, "malformed"));
    }

    [Theory]
    [InlineData(TransportKind.Auto, "")]
    [InlineData(TransportKind.Auto, "PROXY TCP4 1.1.1.1 ")]
    [InlineData(TransportKind.Sockets, "\r\n\r\n\0\r\nQUIT\n\x21")]
    public async Task A_header_that_comes_too_slowly_closes_the_connection(TransportKind transport, string start)
    {
        await using RunningHost host = new(transport);
        await host.ApplyAsync(Listener(ProxyProtocolMode.Required) with { Limits = new() { HeaderTimeout = TimeSpan.FromMilliseconds(150) } });
        await using RawHttpClient client = await host.ConnectAsync();
        await client.SendAsync(start);
        Assert.Equal("", (await client.ReadEndAsync()).Remainder);
        Assert.Equal(1, Faults(host, "timeout"));
    }

    [Fact]
    public async Task A_peer_that_only_looks_whether_the_port_is_open_is_no_error()
    {
        await using RunningHost host = new();
        await host.ApplyAsync(Listener(ProxyProtocolMode.Required));
        await using (RawHttpClient client = await host.ConnectAsync())
        {
            client.HalfClose();
            Assert.Equal("", (await client.ReadEndAsync()).Remainder);
        }
        foreach (string reason in (string[])["missing", "malformed", "timeout", "untrusted"]) Assert.Equal(0, Faults(host, reason));
    }

    [Fact]
    public async Task Where_proxies_are_named_only_they_are_believed()
    {
        await using RunningHost host = new();
        await host.ApplyAsync(Listener(ProxyProtocolMode.Required, "127.0.0.1"));
        await using (RawHttpClient trusted = await host.ConnectAsync()) Assert.StartsWith("192.0.2.1 ", (await trusted.RequestAsync(V1 + Peer)).Text);

        await host.ApplyAsync(Listener(ProxyProtocolMode.Required, "10.0.0.0/8"));
        await using (RawHttpClient stranger = await host.ConnectAsync())
        {
            await stranger.SendAsync(V1 + Peer);
            Assert.Equal("", (await stranger.ReadEndAsync()).Remainder);
        }
        Assert.Equal(1, Faults(host, "untrusted"));

        await host.ApplyAsync(Listener(ProxyProtocolMode.Optional, "10.0.0.0/8"));
        await using RawHttpClient plain = await host.ConnectAsync();
        Assert.StartsWith("127.0.0.1 ", (await plain.RequestAsync(Peer)).Text);
        await using RawHttpClient liar = await host.ConnectAsync();
        Assert.Equal(400, (await liar.RequestAsync(V1 + Peer)).Status);
    }

    [Fact]
    public async Task Connections_are_limited_by_the_address_that_the_header_names()
    {
        await using RunningHost host = new();
        await host.ApplyAsync(Listener(ProxyProtocolMode.Required) with { Limits = new() { ConnectionsPerAddress = 1 } });
        await using RawHttpClient first = await host.ConnectAsync();
        Assert.Equal(200, (await first.RequestAsync(V1 + Peer)).Status);
        await using (RawHttpClient second = await host.ConnectAsync())
        {
            await second.SendAsync(V1 + Peer);
            Assert.Equal("", (await second.ReadEndAsync()).Remainder);
        }
        await using RawHttpClient other = await host.ConnectAsync();
        Assert.Equal(200, (await other.RequestAsync("PROXY TCP4 192.0.2.2 198.51.100.7 1 443\r\n" + Peer)).Status);

        await first.DisposeAsync();
        await Eventually.Until("the first connection is counted out", () => host.Status().Connections == 1);
        await using RawHttpClient third = await host.ConnectAsync();
        Assert.Equal(200, (await third.RequestAsync(V1 + Peer)).Status);
    }

    [Theory]
    [InlineData(TransportKind.Auto)]
    [InlineData(TransportKind.Sockets)]
    public async Task The_header_comes_before_TLS_and_before_HTTP_2(TransportKind transport)
    {
        await using RunningHost host = new(transport);
        using var certificates = new TestCertificates(host.Folder.Root);
        _ = certificates.Server("site", "localhost");
        await host.ApplyAsync(RunningHost.Document(
            Listener(ProxyProtocolMode.Required),
            Listener(ProxyProtocolMode.Required) with { Name = "tls", Tls = new() { Certificates = ["site"] } }) with
        {
            Certificates = new Dictionary<string, CertificateConfig> { ["site"] = new() { CertFile = "site.pem", KeyFile = "site.key" } },
        });
        foreach ((string listener, string scheme) in ((string, string)[])[("web", "http"), ("tls", "https")])
        {
            foreach (string version in (string[])["1.1", "2.0"])
            {
                using HttpClient client = Behind(host.Address(listener), V2);
                using HttpRequestMessage request = H2Client.Request(version, HttpMethod.Get, $"{scheme}://localhost/peer");
                using HttpResponseMessage response = await client.SendAsync(request);
                Assert.Equal($"{version} 192.0.2.1 56324 198.51.100.7 443", $"{response.Version} {await response.Content.ReadAsStringAsync()}");
            }
        }
    }

    private static HttpClient Behind(Uri address, byte[] header)
    {
        SocketsHttpHandler handler = H2Client.Handler();
        handler.ConnectCallback = async (_, cancellationToken) =>
        {
            var socket = new System.Net.Sockets.Socket(System.Net.Sockets.SocketType.Stream, System.Net.Sockets.ProtocolType.Tcp) { NoDelay = true };
            await socket.ConnectAsync(IPAddress.Parse(address.Host), address.Port, cancellationToken);
            var stream = new System.Net.Sockets.NetworkStream(socket, ownsSocket: true);
            await stream.WriteAsync(header, cancellationToken);
            return stream;
        };
        return new HttpClient(handler);
    }

    [Theory]
    [InlineData(TransportKind.Auto)]
    [InlineData(TransportKind.Sockets)]
    public async Task Connections_that_wait_for_their_header_are_closed_when_the_server_drains(TransportKind transport)
    {
        await using RunningHost host = new(transport);
        await host.ApplyAsync(Listener(ProxyProtocolMode.Required) with { Limits = new() { HeaderTimeout = TimeSpan.FromMinutes(5) } });
        await using RawHttpClient client = await host.ConnectAsync();
        await client.SendAsync("PROXY ");
        await Eventually.Until("the connection is there", () => host.Status().Connections == 1);
        StopReport report = await host.Host.StopAsync(TimeSpan.FromMinutes(1));
        Assert.Equal(0, report.Aborted);
        Assert.Equal("", (await client.ReadEndAsync()).Remainder);
    }
}
