using System.Diagnostics;
using System.Net;
using System.Net.Sockets;
using Gateway.Functional.Tests.Harness;
using Gateway.TestKit;
using Xunit;

namespace Gateway.Functional.Tests.DataPlane;

/// <summary>Behind a real balancer that speaks the PROXY protocol, and the client's address in every place that tells of it.</summary>
public sealed class ProxyProtocolTests
{
    private const string Header = "PROXY TCP4 192.0.2.1 198.51.100.7 56324 443\r\n";

    private static string Listener(string name, string more = "") =>
        $$"""{ "name": "{{name}}", "address": "127.0.0.1:0", "proxyProtocol": "required"{{more}} }""";

    [Fact]
    public async Task TheHeadersClient_IsInForwardingHeadersAccessLogAndLimits()
    {
        await using HttpOrigin origin = await HttpOrigin.StartAsync();
        await using GatewayProcess gateway = await GatewayProcess.StartAsync(Doc.Of(
            Doc.Route("all"), Doc.Pool("main", origin.Address), Listener("web", ", \"limits\": { \"connectionsPerAddress\": 1 }")));
        await using RawHttpClient client = await RawHttpClient.ConnectAsync(gateway.Listener());
        Echo echo = Echo.Parse((await client.RequestAsync(Header + Doc.Get("/x"))).Text);
        Assert.Equal("192.0.2.1", echo["x-forwarded-for"]);
        Assert.StartsWith("for=192.0.2.1;", echo["forwarded"]);
        await Eventually.Until("the access log names the client", () => gateway.AccessLog.Any(static line => line.GetProperty("clientIp").GetString() == "192.0.2.1"));

        await using (RawHttpClient second = await RawHttpClient.ConnectAsync(gateway.Listener()))
        {
            await second.SendAsync(Header + Doc.Get());
            Assert.Equal("", (await second.ReadEndAsync()).Remainder);
        }
        await using (RawHttpClient bare = await RawHttpClient.ConnectAsync(gateway.Listener()))
        {
            await bare.SendAsync(Doc.Get());
            Assert.Equal("", (await bare.ReadEndAsync()).Remainder);
        }
        MetricSamples metrics = await gateway.MetricsAsync();
        Assert.Equal(1, metrics.Sum("gateway_connections_rejected_total", "reason=\"connections_per_address\""));
        Assert.Equal(1, metrics.Sum("gateway_proxy_protocol_errors_total", "reason=\"missing\""));
        Assert.Contains(gateway.Error, static line => line.Contains("for want of a good PROXY header", StringComparison.Ordinal));
    }

    [Theory]
    [InlineData("send-proxy")]
    [InlineData("send-proxy-v2")]
    [InlineData("send-proxy-v2 proxy-v2-options crc32c,unique-id,authority")]
    public async Task BehindHAProxy_TheClientsAddressArrives(string mode)
    {
        string haproxy = Tool.Require("haproxy");
        using var certificates = new TestCertificates();
        TestCertificate site = certificates.Server("site", "localhost");
        await using HttpOrigin origin = await HttpOrigin.StartAsync();
        await using GatewayProcess gateway = await GatewayProcess.StartAsync(Doc.Of(
            Doc.Route("all"), Doc.Pool("main", origin.Address),
            $"{Listener("web")}, {Listener("tls", ", \"tls\": { \"certificates\": [\"site\"] }")}",
            $$""" "certificates": { "site": { "certFile": "{{site.CertFile}}", "keyFile": "{{site.KeyFile}}" } } """));

        await using Balancer balancer = await Balancer.StartAsync(haproxy, mode, gateway.Listener("web"), gateway.Listener("tls"));
        foreach ((string scheme, int port) in ((string, int)[])[("http", balancer.Port), ("https", balancer.TlsPort)])
        {
            foreach (string version in (string[])["1.1", "2.0"])
            {
                using HttpClient client = version == "2.0" ? H2Client.Http2() : H2Client.Http1();
                // Not 127.0.0.1: the balancer comes from there.
                using HttpRequestMessage request = H2Client.Request(version, HttpMethod.Get, $"{scheme}://127.0.0.2:{port}/x");
                using HttpResponseMessage response = await client.SendAsync(request);
                Assert.Equal(HttpStatusCode.OK, response.StatusCode);
                Assert.Equal("127.0.0.9", Echo.Parse(await response.Content.ReadAsStringAsync())["x-forwarded-for"]);
            }
        }
    }

    /// <summary>HAProxy in TCP mode before the two listeners; it says that its clients are 127.0.0.9, so that nothing else can be mistaken for them.</summary>
    private sealed class Balancer : IAsyncDisposable
    {
        private readonly Process _process;
        private readonly TempFolder _folder;

        private Balancer(Process process, TempFolder folder, int port, int tlsPort) => (_process, _folder, Port, TlsPort) = (process, folder, port, tlsPort);

        public int Port { get; }
        public int TlsPort { get; }

        public static async Task<Balancer> StartAsync(string haproxy, string mode, Uri web, Uri tls)
        {
            var folder = new TempFolder();
            (int port, int tlsPort) = (FreePort(), FreePort());
            string config = folder.Write("haproxy.cfg", $"""
                defaults
                  mode tcp
                  timeout connect 5s
                  timeout client 30s
                  timeout server 30s
                listen web
                  bind 127.0.0.2:{port}
                  tcp-request connection set-src ipv4(127.0.0.9)
                  server gateway {web.Authority} {mode}
                listen tls
                  bind 127.0.0.2:{tlsPort}
                  tcp-request connection set-src ipv4(127.0.0.9)
                  server gateway {tls.Authority} {mode}

                """);
            Process process = Process.Start(new ProcessStartInfo(haproxy, ["-f", config, "-db"]) { RedirectStandardError = true, RedirectStandardOutput = true })!;
            var balancer = new Balancer(process, folder, port, tlsPort);
            Task<string> said = process.StandardError.ReadToEndAsync();
            await Eventually.Until("HAProxy listens", async () =>
            {
                if (process.HasExited) throw new InvalidOperationException($"haproxy ended: {await said}");
                return CanConnect(port) && CanConnect(tlsPort);
            });
            return balancer;
        }

        private static bool CanConnect(int port)
        {
            using var socket = new Socket(SocketType.Stream, ProtocolType.Tcp);
            try { socket.Connect(IPAddress.Parse("127.0.0.2"), port); }
            catch (SocketException) { return false; }
            return true;
        }

        private static int FreePort()
        {
            using var socket = new Socket(SocketType.Stream, ProtocolType.Tcp);
            socket.Bind(new IPEndPoint(IPAddress.Parse("127.0.0.2"), 0));
            return ((IPEndPoint)socket.LocalEndPoint!).Port;
        }

        public async ValueTask DisposeAsync()
        {
            if (!_process.HasExited) _process.Kill();
            await _process.WaitForExitAsync();
            _process.Dispose();
            _folder.Dispose();
        }
    }
}
