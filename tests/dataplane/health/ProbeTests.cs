using System.Buffers.Binary;
using System.Text;
using Gateway.Config;
using Gateway.DataPlane.Health;
using Gateway.DataPlane.Runtime;
using Gateway.DataPlane.Transport;
using Gateway.TestKit;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Server.Kestrel.Core;
using Xunit;

namespace Gateway.DataPlane.Tests.Health;

/// <summary>What each kind of probe says of endpoints that are well and of those that are not.</summary>
public sealed class ProbeTests
{
    internal static readonly ProbePlan Http = new(
        ProbeKind.Http, "/healthz", null, "", new StatusRanges(["200-299", "404"]), null, TimeSpan.FromSeconds(5), TimeSpan.FromSeconds(1), 3, 2);

    private static UpstreamSettings Settings(string address, UpstreamProtocol protocol = UpstreamProtocol.Http1, UpstreamTls? tls = null) =>
        new(address, protocol, TimeSpan.FromSeconds(1), MaxConnections: 1, MaxIdle: 1, TimeSpan.FromSeconds(90), TimeSpan.Zero, tls);

    private static async Task<string> AskAsync(ProbePlan plan, UpstreamSettings settings)
    {
        using var probe = Probe.Create(plan, settings);
        try
        {
            ProbeResult result = await probe.AskAsync(TestContext.Current.CancellationToken);
            return $"{(result.IsGood ? "good" : "bad")} {result.Result}: {result.Detail}";
        }
        catch (Exception e) when (e is not OperationCanceledException)
        {
            ProbeResult result = Probe.Failed(e);
            return $"bad {result.Result}: {result.Detail}";
        }
    }

    [Theory]
    [InlineData(200, "good success: 200")]
    [InlineData(299, "good success: 299")]
    [InlineData(404, "good success: 404")]
    [InlineData(300, "bad unexpected_status: 300, expected 200-299, 404")]
    [InlineData(503, "bad unexpected_status: 503, expected 200-299, 404")]
    public async Task Http_LooksAtTheStatus(int status, string said)
    {
        await using FaultOrigin origin = FaultOrigin.Start();
        origin.BecomeAt("/healthz", Fault.Status(status));
        Assert.Equal(said, await AskAsync(Http, Settings(origin.Address)));
        Assert.Equal(1, origin.HitsAt("/healthz"));
    }

    [Theory]
    [InlineData("ready", "good success: 200")]
    [InlineData("steady", "bad unexpected_body: 200, but the body does not contain \"steady\"")]
    public async Task Http_LooksForTheTextInTheBody(string text, string said)
    {
        await using FaultOrigin origin = FaultOrigin.Start(body: "I am ready.");
        Assert.Equal(said, await AskAsync(Http with { Body = text }, Settings(origin.Address)));
    }

    [Fact]
    public async Task Http_SendsPathQueryAndHostAsWritten_OverOneConnection()
    {
        await using HttpOrigin origin = await HttpOrigin.StartAsync();
        using var probe = Probe.Create(Http with { Path = "/a%2Fb/../c?x=%20", Host = "shop.example:81" }, Settings(origin.Address));
        for (int i = 0; i < 3; i++) Assert.True((await probe.AskAsync(TestContext.Current.CancellationToken)).IsGood);
        Assert.Equal(("GET", "/a%2Fb/../c?x=%20", "shop.example:81", "gateway-health"), (
            origin.LastRequest.Method, origin.LastRequest.Target, origin.LastRequest["host"], origin.LastRequest["user-agent"]));
        Assert.Equal(1, origin.ConnectionCount);
    }

    [Theory]
    [InlineData("refuse", "bad connect_failed: not connected: Connection refused")]
    [InlineData("reset", "bad error: ")]
    [InlineData("garbage", "bad error: ")]
    public async Task Http_SaysWhatIsWrong(string fault, string said)
    {
        await using FaultOrigin origin = FaultOrigin.Start();
        origin.Become(fault switch { "refuse" => Fault.Refuse, "reset" => Fault.ResetAt(0), _ => Fault.Garbage });
        Assert.StartsWith(said, await AskAsync(Http, Settings(origin.Address)), StringComparison.Ordinal);
    }

    [Fact]
    public async Task Http_SpeaksH2c()
    {
        await using HttpOrigin origin = await HttpOrigin.StartAsync(new HttpOriginOptions { Protocols = HttpProtocols.Http2 });
        Assert.Equal("good success: 200", await AskAsync(Http, Settings(origin.Address, UpstreamProtocol.H2c)));
        Assert.Equal("HTTP/2", origin.LastRequest.Protocol);
    }

    [Theory]
    [InlineData(true, "good success: 200")]
    [InlineData(false, "bad connect_failed: not connected: ")]
    public async Task Http_UsesThePoolsTls(bool trusted, string said)
    {
        using var certificates = new TestCertificates();
        await using HttpOrigin origin = await HttpOrigin.StartAsync(new HttpOriginOptions { Protocols = HttpProtocols.Http1AndHttp2, Certificate = certificates.Server("o", "origin.test").Certificate });
        List<ConfigError> errors = [];
        UpstreamTls? tls = UpstreamTls.Load(new UpstreamTlsConfig { Ca = trusted ? certificates.CaFile : null, ServerName = "origin.test" }, "", "", errors);
        Assert.Empty(errors);
        Assert.StartsWith(said, await AskAsync(Http, Settings(origin.Address, UpstreamProtocol.Https, tls)), StringComparison.Ordinal);
    }

    [Fact]
    public async Task Tcp_ConnectsAndNothingMore()
    {
        await using FaultOrigin origin = FaultOrigin.Start();
        origin.Become(Fault.AcceptOnly);
        Assert.Equal("good success: connected", await AskAsync(Http with { Kind = ProbeKind.Tcp }, Settings(origin.Address)));
        Assert.Equal("good success: connected", await AskAsync(Http with { Kind = ProbeKind.Tcp }, Settings($"localhost:{origin.Port}")));
        Assert.Equal(0, origin.Hits);
        origin.Become(Fault.Refuse);
        Assert.Equal("bad connect_failed: not connected: Connection refused", await AskAsync(Http with { Kind = ProbeKind.Tcp }, Settings(origin.Address)));
    }

    [Theory]
    [InlineData(new byte[] { 8, 1 }, "good success: SERVING")]
    [InlineData(new byte[] { 8, 2 }, "bad not_serving: NOT_SERVING")]
    [InlineData(new byte[] { 8, 3 }, "bad not_serving: SERVICE_UNKNOWN")]
    [InlineData(new byte[] { }, "bad not_serving: UNKNOWN")]
    [InlineData(new byte[] { 10, 1, 1 }, "bad error: the answer is no HealthCheckResponse")]
    public async Task Grpc_AsksForTheService(byte[] answer, string said)
    {
        await using HttpOrigin origin = await HttpOrigin.StartAsync(new HttpOriginOptions { Protocols = HttpProtocols.Http2 });
        byte[]? question = null;
        origin.Map("/grpc.health.v1.Health/Check", async http =>
        {
            using var body = new MemoryStream();
            await http.Request.Body.CopyToAsync(body);
            question = body.ToArray();
            http.Response.ContentType = "application/grpc";
            byte[] prefix = new byte[5];
            BinaryPrimitives.WriteInt32BigEndian(prefix.AsSpan(1), answer.Length);
            await http.Response.Body.WriteAsync(prefix);
            await http.Response.Body.WriteAsync(answer);
            http.Response.AppendTrailer("grpc-status", "0");
        });
        string service = new('s', 200);
        Assert.Equal(said, await AskAsync(Http with { Kind = ProbeKind.Grpc, Service = service }, Settings(origin.Address, UpstreamProtocol.Grpc)));
        // Field 1, length 200 as a varint of two bytes.
        byte[] expected = [0, 0, 0, 0, 203, 10, 0xC8, 1, .. Encoding.UTF8.GetBytes(service)];
        Assert.Equal(expected, question);
        Assert.Equal(("application/grpc", "trailers"), (origin.LastRequest["content-type"], origin.LastRequest["te"]));
    }

    [Fact]
    public async Task Grpc_ThatDoesNotKnowTheQuestion_IsBad()
    {
        await using HttpOrigin origin = await HttpOrigin.StartAsync(new HttpOriginOptions { Protocols = HttpProtocols.Http2 });
        origin.Map("/grpc.health.v1.Health/Check", http =>
        {
            http.Response.ContentType = "application/grpc";
            http.Response.Headers["grpc-status"] = "12";
            return Task.CompletedTask;
        });
        Assert.Equal("bad unexpected_status: grpc-status 12", await AskAsync(Http with { Kind = ProbeKind.Grpc }, Settings(origin.Address, UpstreamProtocol.Grpc)));
    }
}
