using System.Net;
using System.Text;
using Gateway.Config;
using Gateway.TestKit;
using Xunit;

namespace Gateway.DataPlane.Tests.Proxy;

public sealed class ForwardingTests
{
    private const string Ok = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";

    [Fact]
    public async Task Request_ReachesTheUpstream_AndItsResponseTheClient()
    {
        await using HttpOrigin origin = await HttpOrigin.StartAsync("a");
        await using ProxyHost proxy = await ProxyHost.StartAsync(origin.Address);
        RawResponse response = await RawHttpClient.OnceAsync(proxy.Address, "POST /x?y=1 HTTP/1.1\r\nHost: shop.test:8080\r\nContent-Length: 5\r\nX-A: 1\r\n\r\nhello");
        Assert.Equal(200, response.Status);
        Assert.Equal("a", response["x-origin"]);
        Echo echo = Echo.Parse(response.Text);
        Assert.Equal(("POST", "/x?y=1", "hello", "shop.test:8080", "1"), (echo.Method, echo.Target, echo.Body, echo["host"], echo["x-a"]));
        await Eventually.Until("the endpoint is free", () => proxy.InFlight == 0 && proxy.UpstreamInFlight == 0);
        Assert.Empty(proxy.Log.Errors);
    }

    [Theory]
    [InlineData("/a%2Fb//c/../d/./e%2e%2E")]
    [InlineData("/?")]
    [InlineData("/")]
    [InlineData("//double//")]
    [InlineData("/a?b=c?d=%20+&&=%00")]
    [InlineData("/%zz%")]
    [InlineData("/a;b=c,d:@!$&'()*+~-._")]
    [InlineData("/a\"<>\\^`{|}")]
    [InlineData("/..")]
    [InlineData("/a/../..%2f..?../x")]
    [InlineData("/http://other/x")]
    [InlineData("/%E4%BD%A0")]
    public async Task RawTarget_ReachesTheUpstream_ByteForByte(string target)
    {
        await using RawOrigin http1 = RawOrigin.Answering(Ok);
        await using ProxyHost proxy = await ProxyHost.StartAsync(http1.Address);
        Assert.Equal(200, (await RawHttpClient.OnceAsync(proxy.Address, $"GET {target} HTTP/1.1\r\nHost: a\r\n\r\n")).Status);
        Assert.StartsWith($"GET {target} HTTP/1.1\r\n", http1.ReceivedText, StringComparison.Ordinal);

        await using HttpOrigin http2 = await HttpOrigin.StartH2cAsync();
        await using ProxyHost toHttp2 = await ProxyHost.StartAsync(http2.Address, new ProxyOptions { Protocol = UpstreamProtocol.H2c });
        Assert.Equal(200, (await RawHttpClient.OnceAsync(toHttp2.Address, $"GET {target} HTTP/1.1\r\nHost: a\r\n\r\n")).Status);
        Assert.Equal(target, http2.LastRequest.Target);
    }

    [Theory]
    [InlineData("http://a/x?y", "/x?y")]
    [InlineData("http://a", "/")]
    [InlineData("http://a?q=1", "/?q=1")]
    [InlineData("https://a/%2F", "/%2F")]
    public async Task AbsoluteForm_IsForwardedInOriginForm(string target, string sent)
    {
        await using RawOrigin origin = RawOrigin.Answering(Ok);
        await using ProxyHost proxy = await ProxyHost.StartAsync(origin.Address);
        Assert.Equal(200, (await RawHttpClient.OnceAsync(proxy.Address, $"GET {target} HTTP/1.1\r\nHost: a\r\n\r\n")).Status);
        Assert.StartsWith($"GET {sent} HTTP/1.1\r\n", origin.ReceivedText, StringComparison.Ordinal);
    }

    [Fact]
    public async Task OptionsAsterisk_IsAnsweredByTheGateway()
    {
        await using RawOrigin origin = RawOrigin.Answering(Ok);
        await using ProxyHost proxy = await ProxyHost.StartAsync(origin.Address);
        RawResponse response = await RawHttpClient.OnceAsync(proxy.Address, "OPTIONS * HTTP/1.1\r\nHost: a\r\n\r\n");
        Assert.Equal((200, "0"), (response.Status, response["content-length"]));
        Assert.Empty(origin.Connections);
    }

    [Fact]
    public async Task Connect_Returns501()
    {
        await using ProxyHost proxy = await ProxyHost.StartAsync(RawOrigin.RefusedAddress());
        RawResponse response = await RawHttpClient.OnceAsync(proxy.Address, "CONNECT a:443 HTTP/1.1\r\nHost: a:443\r\n\r\n");
        Assert.Equal(501, response.Status);
        Assert.Contains("\"category\":\"bad_request\"", response.Text, StringComparison.Ordinal);
    }

    [Fact]
    public async Task MethodInOtherCase_IsRefusedRatherThanChanged()
    {
        await using RawOrigin origin = RawOrigin.Answering(Ok);
        await using ProxyHost proxy = await ProxyHost.StartAsync(origin.Address);
        Assert.Equal(501, (await RawHttpClient.OnceAsync(proxy.Address, "get / HTTP/1.1\r\nHost: a\r\n\r\n")).Status);
        Assert.Equal(200, (await RawHttpClient.OnceAsync(proxy.Address, "pUrGe / HTTP/1.1\r\nHost: a\r\n\r\n")).Status);
        Assert.StartsWith("pUrGe / ", origin.ReceivedText, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData(false, false)]
    [InlineData(false, true)]
    [InlineData(true, false)]
    [InlineData(true, true)]
    public async Task Body_OfKnownAndUnknownLength_GoesThrough(bool http2Client, bool http2Upstream)
    {
        await using HttpOrigin origin = http2Upstream ? await HttpOrigin.StartH2cAsync() : await HttpOrigin.StartAsync();
        await using ProxyHost proxy = await ProxyHost.StartAsync(origin.Address, new ProxyOptions { Protocol = http2Upstream ? UpstreamProtocol.H2c : UpstreamProtocol.Http1 });
        using HttpClient client = http2Client ? H2Client.Http2(proxy.Http2Address) : H2Client.Http1(proxy.Address);
        byte[] sent = new byte[300_000];
        Random random = new(1);
        random.NextBytes(sent);
        string hash = Convert.ToHexStringLower(System.Security.Cryptography.SHA256.HashData(sent));

        Assert.Equal($"300000 {hash}", await (await client.PostAsync("/sink", new ByteArrayContent(sent))).Content.ReadAsStringAsync());
        Assert.Equal("300000", origin.LastRequest["content-length"]);

        var streamed = new StreamedContent();
        Task<HttpResponseMessage> response = client.PostAsync("/sink", streamed);
        await streamed.WriteAsync(sent.AsMemory(0, 100_000));
        await streamed.WriteAsync(sent.AsMemory(100_000));
        streamed.Complete();
        Assert.Equal($"300000 {hash}", await (await response).Content.ReadAsStringAsync());
        Assert.Null(origin.LastRequest["content-length"]);

        byte[] got = await client.GetByteArrayAsync("/bytes/1000000");
        Assert.Equal(1_000_000, got.Length);
        Assert.Equal(1_000_000, (await client.GetByteArrayAsync("/bytes/1000000?chunked=1")).Length);
    }
}
