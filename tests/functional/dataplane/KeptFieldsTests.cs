using Gateway.Functional.Tests.Harness;
using Gateway.TestKit;
using Xunit;

namespace Gateway.Functional.Tests.DataPlane;

/// <summary>
/// What the gateway keeps of a connection's requests (their fields, and how those look upstream) is never another request's: whatever
/// the order, each request on a used connection reaches the origin as it would have on a new one.
/// </summary>
public sealed class KeptFieldsTests
{
    private static readonly string[] Fields =
    [
        "",
        "Accept: */*\r\n",
        "Accept: text/html\r\n",
        "Accept: */*\r\nCookie: a=1\r\n",
        "Cookie: a=1\r\nAccept: */*\r\n",
        "X-Forwarded-For: 192.0.2.1\r\n",
        "X-Forwarded-For: 192.0.2.2\r\n",
        "X-Forwarded-Proto: https\r\nX-Forwarded-Host: shown.test\r\nX-Forwarded-Port: 8443\r\n",
        "Forwarded: for=192.0.2.9\r\nVia: 1.0 before\r\n",
        "Connection: x-mine\r\nX-Mine: 1\r\n",
        "X-Mine: 1\r\n",
        "X-Request-Id: chosen-by-the-client\r\n",
        "TE: trailers\r\nConnection: TE\r\n",
        $"X-Large: {new string('x', 6000)}\r\n",
    ];

    private static readonly string[] Requests =
    [
        .. from host in (string[])["a.test", "b.test", "a.test:81"] from fields in Fields select $"GET /x HTTP/1.1\r\nHost: {host}\r\n{fields}\r\n",
        .. from fields in Fields select $"POST /x HTTP/1.1\r\nHost: a.test\r\n{fields}Content-Length: 2\r\n\r\nhi",
        .. from fields in Fields[..3] select $"POST /x HTTP/1.1\r\nHost: a.test\r\n{fields}Transfer-Encoding: chunked\r\n\r\n2\r\nhi\r\n0\r\n\r\n",
        "GET http://b.test/x HTTP/1.1\r\nHost: a.test\r\n\r\n",
        "GET /x HTTP/1.0\r\nHost: a.test\r\nConnection: keep-alive\r\n\r\n",
    ];

    private static string Config(string origin, bool trusted) => Doc.Of(
        Doc.Route("all"), Doc.Pool("main", origin),
        $$"""{ "name": "web", "address": "127.0.0.1:0"{{(trusted ? """, "trustedProxies": ["127.0.0.0/8"]""" : "")}} }""", Doc.NoAccessLog);

    /// <summary>Everything that the origin got, but for the id that the gateway made.</summary>
    private static string Seen(RawResponse response)
    {
        Assert.True(response is { Status: 200, IsWhole: true }, response.ToString());
        Echo echo = Echo.Parse(response.Text);
        return $"{echo.Method} {echo.Target} {echo.Protocol} '{echo.Body}' "
            + string.Join("; ", echo.Headers.Select(static h => h is { Key: "x-request-id", Value.Length: 32 } ? "x-request-id: made" : $"{h.Key}: {h.Value}"));
    }

    private static async Task<Dictionary<string, string>> SeenOfNewConnectionsAsync(Uri web)
    {
        var seen = new Dictionary<string, string>();
        foreach (string request in Requests) seen[request] = Seen(await RawHttpClient.OnceAsync(web, request));
        return seen;
    }

    [Fact]
    public async Task OnAUsedConnection_TheOriginGetsWhatItWouldGetOnANewOne()
    {
        await using HttpOrigin origin = await HttpOrigin.StartAsync();
        origin.Record = false;
        await using GatewayProcess gateway = await GatewayProcess.StartAsync(Config(origin.Address, trusted: false));
        Dictionary<string, string> expected = await SeenOfNewConnectionsAsync(gateway.Listener());
        Assert.InRange(expected.Values.Distinct().Count(), Requests.Length / 2, Requests.Length);
        await using RawHttpClient client = await RawHttpClient.ConnectAsync(gateway.Listener());
        // Each before and after others, once to four times in a row, which is when something is kept.
        var random = new Random(20261120);
        for (int i = 0; i < 600; i++)
        {
            string request = Requests[random.Next(Requests.Length)];
            for (int again = random.Next(4); again >= 0; again--) Assert.Equal(expected[request], Seen(await client.RequestAsync(request)));
        }
    }

    [Fact]
    public async Task AnApplyThatTrustsThePeer_ChangesTheNextRequestOfTheSameConnection()
    {
        await using HttpOrigin origin = await HttpOrigin.StartAsync();
        await using GatewayProcess gateway = await GatewayProcess.StartAsync(Config(origin.Address, trusted: false));
        const string request = "GET / HTTP/1.1\r\nHost: a.test\r\nX-Forwarded-For: 192.0.2.1\r\n\r\n";
        await using RawHttpClient client = await RawHttpClient.ConnectAsync(gateway.Listener());
        for (int round = 0; round < 3; round++)
        {
            foreach (bool trusted in (bool[])[false, true])
            {
                _ = await gateway.ApplyAsync(Config(origin.Address, trusted));
                for (int again = 0; again < 3; again++)
                    Assert.Equal(trusted ? "192.0.2.1, 127.0.0.1" : "127.0.0.1", Echo.Parse((await client.RequestAsync(request)).Text)["x-forwarded-for"]);
            }
        }
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task ClientsOfShortConnections_AreToldApartByTheirAddresses(bool behindABalancer)
    {
        Assert.SkipUnless(OperatingSystem.IsLinux(), "only Linux lets anybody come from all of 127.0.0.0/8");
        await using HttpOrigin origin = await HttpOrigin.StartAsync();
        origin.Record = false;
        await using GatewayProcess gateway = await GatewayProcess.StartAsync(Doc.Of(
            Doc.Route("all"), Doc.Pool("main", origin.Address),
            $$"""{ "name": "web", "address": "127.0.0.1:0"{{(behindABalancer ? """, "proxyProtocol": "required" """ : "")}} }""", Doc.NoAccessLog));
        // All send the same, byte for byte, each on a connection of its own, in the place of one of the clients before it.
        for (int i = 0; i < 120; i++)
        {
            string address = $"{(behindABalancer ? "192.0.2" : "127.0.0")}.{2 + i * 7 % 5}";
            await using RawHttpClient client = await RawHttpClient.ConnectAsync(gateway.Listener(), behindABalancer ? null : address);
            RawResponse response = await client.RequestAsync((behindABalancer ? $"PROXY TCP4 {address} 198.51.100.7 56324 80\r\n" : "") + Doc.Get("/x"));
            Echo echo = Echo.Parse(response.Text);
            Assert.Equal((address, $"for={address};host=gateway.test;proto=http"), (echo["x-forwarded-for"], echo["forwarded"]));
        }
    }
}
