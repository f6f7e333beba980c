using Gateway.TestKit;
using Xunit;

namespace Gateway.Functional.Tests.Harness;

/// <summary>
/// A gateway with one HTTP/1.1 origin and one h2c origin behind it, shared by the tests of a class that change nothing. Hosts:
/// <c>h1.test</c>, <c>h2c.test</c>, <c>grpc.test</c>; any other host goes to the HTTP/1.1 origin.
/// </summary>
public sealed class Site : IAsyncLifetime
{
    public HttpOrigin H1 { get; private set; } = null!;
    public HttpOrigin H2c { get; private set; } = null!;
    public GatewayProcess Gateway { get; private set; } = null!;
    public Uri Web => Gateway.Listener("web");

    /// <summary>HTTP/1.1 and cleartext HTTP/2 clients of the gateway.</summary>
    public HttpClient Http1 { get; private set; } = null!;
    public HttpClient Http2 { get; private set; } = null!;

    public async ValueTask InitializeAsync()
    {
        H1 = await HttpOrigin.StartAsync("h1");
        H2c = await HttpOrigin.StartH2cAsync("h2c");
        Gateway = await GatewayProcess.StartAsync(Doc.Of(
            routes: string.Join(", ",
                Doc.Route("h1", Doc.Host("h1.test"), "h1", "\"bodyBytes\": 0"),
                Doc.Route("h2c", Doc.Host("h2c.test"), "h2c", "\"bodyBytes\": 0"),
                Doc.Route("grpc", Doc.Host("grpc.test"), "grpc"),
                Doc.Route("any", "", "h1")),
            pools: string.Join(", ",
                Doc.Pool("h1", H1.Address),
                Doc.PoolWith("h2c", "\"protocol\": \"h2c\"", H2c.Address),
                Doc.PoolWith("grpc", "\"protocol\": \"grpc\"", H2c.Address))));
        Http1 = H2Client.Http1(Web);
        Http2 = H2Client.Http2(Web);
    }

    public HttpOrigin OriginOf(string host) => host == "h1.test" ? H1 : H2c;

    public async ValueTask DisposeAsync()
    {
        Http1?.Dispose();
        Http2?.Dispose();
        if (Gateway is not null) await Gateway.DisposeAsync();
        if (H1 is not null) await H1.DisposeAsync();
        if (H2c is not null) await H2c.DisposeAsync();
    }
}
