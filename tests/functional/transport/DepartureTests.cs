using Gateway.TestKit;
using Xunit;

namespace Gateway.Functional.Tests.Transport;

/// <summary>Clients and origins that go at every phase of a request, by reset and in order: the other side learns of it, and nothing is left behind.</summary>
public sealed class DepartureTests(TransportSites sites) : IClassFixture<TransportSites>
{
    private static int _ids;

    private static readonly string[] Phases = ["nothing sent", "request head", "request body", "before the response", "during the response", "large response unread", "tunnel"];

    public static TheoryData<string, string, bool> Departures()
    {
        var rows = new TheoryData<string, string, bool>();
        foreach (string transport in TransportSites.Transports.Select(static row => row.Data))
        {
            foreach (string phase in Phases)
            {
                rows.Add(transport, phase, true);
                rows.Add(transport, phase, false);
            }
        }
        return rows;
    }

    [Theory]
    [MemberData(nameof(Departures))]
    public async Task AClientThatGoes_TakesItsUpstreamAlong_AndLeavesNothing(string transport, string phase, bool reset)
    {
        GatewayProcess gateway = sites[transport];
        string id = $"{Interlocked.Increment(ref _ids)}";
        RawConnection? upstream = null;
        await using (RawHttpClient client = await RawHttpClient.ConnectAsync(gateway.Listener()))
        {
            upstream = await BringToAsync(client, phase, id);
            if (reset) client.Reset();
        }
        if (upstream is not null) await Eventually.Until("the origin sees the end", () => upstream.End != WireEnd.Open);
        await sites.QuietAsync(gateway);
        Assert.Equal("GET /after ", (await RawHttpClient.OnceAsync(gateway.Listener(), "GET /after HTTP/1.1\r\nHost: h\r\n\r\n")).Text);
    }

    private async Task<RawConnection?> BringToAsync(RawHttpClient client, string phase, string id)
    {
        string Get(string target, string more = "") => $"GET {target} HTTP/1.1\r\nHost: h\r\nId: {id}\r\n{more}\r\n";
        switch (phase)
        {
            case "nothing sent":
                return null;
            case "request head":
                await client.SendAsync("GET / HTT");
                return null;
            case "request body":
                await client.SendAsync($"POST /hold HTTP/1.1\r\nHost: h\r\nId: {id}\r\nContent-Length: 100\r\n\r\nsome");
                return await sites.ArrivedAsync(id);
            case "before the response":
                await client.SendAsync(Get("/hold"));
                return await sites.ArrivedAsync(id);
            case "during the response":
                await client.SendAsync(Get("/half"));
                Assert.Equal(200, (await client.ReadHeadAsync())!.Status);
                Assert.Equal("half"u8.ToArray(), await client.ReadAsync(4));
                return await sites.ArrivedAsync(id);
            case "large response unread":
                await client.SendAsync(Get("/large"));
                Assert.Equal(200, (await client.ReadHeadAsync())!.Status);
                return null;
            default:
                await client.SendAsync(Get("/tunnel", "Connection: Upgrade\r\nUpgrade: echo\r\n"));
                Assert.Equal(101, (await client.ReadHeadAsync())!.Status);
                await client.SendAsync("ping");
                Assert.Equal("ping"u8.ToArray(), await client.ReadAsync(4));
                return await sites.ArrivedAsync(id);
        }
    }

    public static TheoryData<string, string, bool> OriginDepartures()
    {
        var rows = new TheoryData<string, string, bool>();
        foreach (string transport in TransportSites.Transports.Select(static row => row.Data))
        {
            foreach (string phase in (string[])["request body", "before the response", "during the response", "tunnel"])
            {
                // .NET's handler, behind the sockets, does not look for the upstream's end while it waits for the client's bytes, and asks
                // again on another connection when the first has ended in order without an answer.
                if (transport == "sockets" && phase == "request body") continue;
                rows.Add(transport, phase, true);
                if (transport != "sockets" || phase != "before the response") rows.Add(transport, phase, false);
            }
        }
        return rows;
    }

    [Theory]
    [MemberData(nameof(OriginDepartures))]
    public async Task AnOriginThatGoes_IsToldToTheClientAsWhatItIs(string transport, string phase, bool reset)
    {
        GatewayProcess gateway = sites[transport];
        await using (RawHttpClient client = await RawHttpClient.ConnectAsync(gateway.Listener()))
        {
            RawConnection upstream = (await BringToAsync(client, phase, $"{Interlocked.Increment(ref _ids)}"))!;
            if (reset) upstream.Reset();
            else upstream.Close();
            if (phase is "request body" or "before the response") Assert.Equal(502, (await client.ReadHeadAsync())!.Status);
            // The body was not whole: whatever the end looks like, it must not look like that of a whole response.
            else Assert.Equal("", (await client.ReadEndAsync()).Remainder);
        }
        await sites.QuietAsync(gateway);
    }
}
