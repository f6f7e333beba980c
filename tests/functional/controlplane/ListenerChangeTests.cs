using System.Net;
using System.Net.Sockets;
using Gateway.Functional.Tests.Harness;
using Gateway.TestKit;
using Xunit;

namespace Gateway.Functional.Tests.ControlPlane;

/// <summary>Listeners are part of the configuration: added, changed and removed while others are not touched.</summary>
public sealed class ListenerChangeTests : IDisposable
{
    private readonly TempFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    private static string Config(params string[] listeners) =>
        Doc.Of("""{ "name": "all", "respond": { "body": "ok" } }""", "", string.Join(", ", listeners), "\"shutdown\": { \"drain\": \"0s\", \"grace\": \"2s\" }");

    private static string At(string name, int port = 0, string more = "") => $$"""{ "name": "{{name}}", "address": "127.0.0.1:{{port}}"{{more}} }""";

    private static async Task<bool> ServesAsync(Uri address)
    {
        try { return (await RawHttpClient.OnceAsync(address, Doc.Get(headers: "Connection: close\r\n"))).Status == 200; }
        catch (Exception e) when (e is SocketException or IOException) { return false; }
    }

    private static int FreePort()
    {
        using var probe = new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp);
        probe.Bind(new IPEndPoint(IPAddress.Loopback, 0));
        return ((IPEndPoint)probe.LocalEndPoint!).Port;
    }

    [Fact]
    public async Task Added_IsServedAtOnceAndRemoved_IsClosed()
    {
        await using GatewayProcess gateway = await GatewayProcess.StartAsync(Config(At("web")));
        await using RawHttpClient kept = await RawHttpClient.ConnectAsync(gateway.Listener());
        _ = await kept.RequestAsync(Doc.Get());
        _ = await gateway.ApplyAsync(Config(At("web"), At("more")));
        Uri more = await gateway.ListenerEventually("more");
        Assert.True(await ServesAsync(more));
        await using RawHttpClient idle = await RawHttpClient.ConnectAsync(more);
        _ = await idle.RequestAsync(Doc.Get());
        _ = await gateway.ApplyAsync(Config(At("web")));
        await Eventually.Until("the removed listener refuses connections", async () => !await ServesAsync(more));
        Assert.NotEqual(WireEnd.Open, (await idle.ReadEndAsync()).End);
        Assert.Equal(200, (await kept.RequestAsync(Doc.Get())).Status);
    }

    [Fact]
    public async Task Changed_KeepsItsPortAndTheSocketNeverCloses()
    {
        int port = FreePort();
        await using GatewayProcess gateway = await GatewayProcess.StartAsync(Config(At("web", port), At("other")));
        await using RawHttpClient other = await RawHttpClient.ConnectAsync(gateway.Listener("other"));
        _ = await other.RequestAsync(Doc.Get());
        using var stop = new CancellationTokenSource();
        int served = 0;
        Task<List<string>> probing = Task.Run(async () =>
        {
            var failures = new List<string>();
            while (!stop.IsCancellationRequested)
            {
                try
                {
                    RawResponse response = await RawHttpClient.OnceAsync(gateway.Listener(), Doc.Get(headers: "Connection: close\r\n"));
                    if (response.Status == 200) _ = Interlocked.Increment(ref served);
                    else failures.Add(response.ToString());
                }
                catch (Exception e) when (e is SocketException or IOException) { failures.Add(e.Message); }
            }
            return failures;
        });
        for (int i = 1; i <= 10; i++)
        {
            int before = Volatile.Read(ref served);
            _ = await gateway.ApplyAsync(Config(At("web", port, $", \"limits\": {{ \"headerCount\": {20 + i} }}"), At("other")));
            await Eventually.Until("requests are served after the change", () => Volatile.Read(ref served) > before + 5);
        }
        await stop.CancelAsync();
        Assert.Empty(await probing);
        // The change is real: 31 headers are one too many now; and the untouched listener kept its connection.
        Assert.Equal(431, (await RawHttpClient.OnceAsync(gateway.Listener(), Doc.Get(headers: string.Concat(Enumerable.Range(0, 30).Select(i => $"x-{i}: 1\r\n"))))).Status);
        Assert.Equal(200, (await other.RequestAsync(Doc.Get())).Status);
    }

    [Fact]
    public async Task PlainBecomesTls_OnTheSamePort()
    {
        using var authority = new TestCertificates(_folder.Root);
        _ = authority.Server("site", "site.test");
        int port = FreePort();
        await using GatewayProcess gateway = await GatewayProcess.StartAsync(Config(At("web", port)), new GatewayProcessOptions { Folder = _folder });
        Assert.True(await ServesAsync(gateway.Listener()));
        string tls = Doc.Of("""{ "name": "all", "respond": { "body": "ok" } }""", "", At("web", port, ", \"tls\": { \"certificates\": [\"site\"] }"),
            "\"certificates\": { \"site\": { \"certFile\": \"site.pem\", \"keyFile\": \"site.key\" } }");
        _ = await gateway.ApplyAsync(tls);
        using HttpClient client = H2Client.Http2(new Uri($"https://127.0.0.1:{port}"));
        Assert.Equal("ok", await client.GetStringAsync("/"));
    }

    [Fact]
    public async Task RequestInFlightOnARemovedListener_IsFinished()
    {
        await using HttpOrigin origin = await HttpOrigin.StartAsync();
        string Config2(bool two) => Doc.Of(Doc.Route("all"), Doc.Pool("main", origin.Address), two ? $"{At("web")}, {At("more")}" : At("web"));
        await using GatewayProcess gateway = await GatewayProcess.StartAsync(Config2(true));
        Uri more = gateway.Listener("more");
        await using RawHttpClient client = await RawHttpClient.ConnectAsync(more);
        await client.SendAsync(Doc.Get("/half?gate=drain"));
        RawResponse response = (await client.ReadHeadAsync())!;
        _ = await gateway.ApplyAsync(Config2(false));
        await Eventually.Until("the removed listener refuses connections", async () => !await ServesAsync(more));
        origin.Gate("drain").Open();
        await client.ReadBodyAsync(response);
        Assert.Equal(("first second", true), (response.Text, response.IsWhole));
    }

    [Fact]
    public async Task BindFailure_RejectsTheWholeApplyAndChangesNothing()
    {
        using var taken = new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp);
        taken.Bind(new IPEndPoint(IPAddress.Loopback, 0));
        taken.Listen();
        int port = ((IPEndPoint)taken.LocalEndPoint!).Port;
        await using GatewayProcess gateway = await GatewayProcess.StartAsync(Config(At("web")));
        int free = FreePort();
        AdminAnswer refused = await gateway.TryApplyAsync(Doc.Of("""{ "name": "all", "respond": { "body": "new" } }""", "", $"{At("web")}, {At("good", free)}, {At("bad", port)}"));
        Assert.Equal(HttpStatusCode.BadRequest, refused.Status);
        Assert.Contains("listeners[2].address: bind_failed", refused.ErrorCodes);
        Assert.Equal("ok", (await RawHttpClient.OnceAsync(gateway.Listener(), Doc.Get())).Text);
        Assert.False(await ServesAsync(new Uri($"http://127.0.0.1:{free}")));
        taken.Close();
        _ = await gateway.ApplyAsync(Config(At("web"), At("bad", port)));
        Assert.True(await ServesAsync(new Uri($"http://127.0.0.1:{port}")));
    }

    [Fact]
    public async Task UnixSocket_IsAddedAndItsFileRemovedWithIt()
    {
        string path = _folder["gw.sock"];
        await using GatewayProcess gateway = await GatewayProcess.StartAsync(Config(At("web")));
        _ = await gateway.ApplyAsync(Config(At("web"), $$"""{ "name": "unix", "address": "unix:{{path}}" }"""));
        await using (RawHttpClient client = await RawHttpClient.ConnectUnixAsync(path)) Assert.Equal("ok", (await client.RequestAsync(Doc.Get())).Text);
        _ = await gateway.ApplyAsync(Config(At("web")));
        await Eventually.Until("the socket's file is gone", () => !File.Exists(path));
    }

    [Fact]
    public async Task StaleUnixSocketFile_OfAKilledGatewayIsReplaced()
    {
        string path = _folder["gw.sock"];
        string config = Config($$"""{ "name": "unix", "address": "unix:{{path}}" }""");
        GatewayProcess first = await GatewayProcess.StartAsync(config);
        await first.KillAsync();
        await first.DisposeAsync();
        Assert.True(File.Exists(path));
        await using GatewayProcess second = await GatewayProcess.StartAsync(config);
        await using RawHttpClient client = await RawHttpClient.ConnectUnixAsync(path);
        Assert.Equal("ok", (await client.RequestAsync(Doc.Get())).Text);
    }
}
