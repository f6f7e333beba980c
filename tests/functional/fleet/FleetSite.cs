using System.Text.Json;
using Gateway.Functional.Tests.Harness;
using Gateway.TestKit;
using Xunit;

namespace Gateway.Functional.Tests.Fleet;

/// <summary>One PostgreSQL for the tests of a class.</summary>
public sealed class PostgresFixture : IAsyncLifetime
{
    public PostgresServer? Server { get; private set; }

    public async ValueTask InitializeAsync() => Server = PostgresServer.Missing is null ? await PostgresServer.StartAsync() : null;

    public async ValueTask DisposeAsync()
    {
        if (Server is not null) await Server.DisposeAsync();
    }
}

/// <summary>Replicas of one fleet, each the built executable with a data folder of its own that outlives it.</summary>
internal sealed class FleetSite : IAsyncDisposable
{
    private static int _sites;
    private readonly PostgresServer _server;
    private readonly string _schema = $"fleet_{Interlocked.Increment(ref _sites)}";
    private readonly Dictionary<string, TempFolder> _folders = [];
    private readonly Dictionary<string, GatewayProcess> _running = [];

    public FleetSite(PostgresFixture fixture)
    {
        string? skip = PostgresServer.Skip(PostgresServer.Missing, Environment.GetEnvironmentVariable("CI"));
        Assert.SkipWhen(skip is not null, skip ?? "");
        _server = fixture.Server!;
    }

    /// <summary>Where the tables are.</summary>
    public string Schema => _schema;

    /// <summary>Replicas that reach the database by another port.</summary>
    public Dictionary<string, int> Ports { get; } = [];

    public GatewayProcess this[string replica] => _running[replica];

    public IEnumerable<string> Running => _running.Keys;

    public static string Saying(string text, string more = "") => Doc.Of(routes: $$"""{ "name": "all", "respond": { "body": "{{text}}" } }""", pools: "", more: more.Length > 0 ? $"{more}, {Doc.NoAccessLog}" : Doc.NoAccessLog);

    public Task<GatewayProcess> StartAsync(string replica, string? file = "file", params string[] arguments) => StartWithAsync(replica, file is null ? null : Saying(file), null, arguments);

    /// <param name="document">Of the file; null for the one that is there.</param>
    /// <param name="fault">As the environment variable GATEWAY_FAULT; null for none.</param>
    public async Task<GatewayProcess> StartWithAsync(string replica, string? document, string? fault = null, params string[] arguments)
    {
        TempFolder folder = _folders.TryGetValue(replica, out TempFolder? known) ? known : _folders[replica] = new TempFolder();
        string connection = folder.Write("fleet.connection", PostgresServer.ConnectionTo(Ports.GetValueOrDefault(replica, _server.Port)));
        GatewayProcess gateway = await GatewayProcess.StartAsync(document, new GatewayProcessOptions
        {
            Environment = fault is null ? new Dictionary<string, string>() : new Dictionary<string, string> { ["GATEWAY_FAULT"] = fault },
            Folder = folder,
            Arguments = ["--fleet-file", connection, "--fleet-schema", _schema, "--replica", replica, .. arguments],
        });
        return _running[replica] = gateway;
    }

    public async Task StartAllAsync(params string[] replicas)
    {
        foreach (string replica in replicas) _ = await StartAsync(replica);
    }

    public async Task StopAsync(string replica, bool kill = false)
    {
        if (kill) await _running[replica].KillAsync();
        else Assert.Equal(0, await _running[replica].StopAsync());
        await _running[replica].DisposeAsync();
        _ = _running.Remove(replica);
    }

    public static async Task<string> TextAsync(GatewayProcess gateway) => (await RawHttpClient.OnceAsync(gateway.Listener(), Doc.Get())).Text;

    /// <summary>Waits until every replica that runs answers with the text.</summary>
    public async Task AllSayAsync(string text)
    {
        foreach ((string name, GatewayProcess gateway) in _running)
        {
            string last = "";
            try
            {
                await Eventually.Until($"{name} says '{text}'", async () => (last = await TextAsync(gateway)) == text, TimeSpan.FromSeconds(40));
            }
            catch (TimeoutException e)
            {
                throw new TimeoutException($"{e.Message}, but '{last}'\n{gateway.Logs()}", e);
            }
        }
    }

    /// <summary>Waits until a replica's view of the fleet is as it should be.</summary>
    public async Task<JsonElement> ViewAsync(string replica, string what, Func<JsonElement, bool> holds)
    {
        JsonElement view = default;
        try
        {
            await Eventually.Until($"{replica} sees {what}", async () => holds(view = (await _running[replica].GetAsync("/admin/fleet")).Json), TimeSpan.FromSeconds(40));
        }
        catch (TimeoutException e)
        {
            throw new TimeoutException($"{e.Message}: {view}\n{_running[replica].Logs()}", e);
        }
        return view;
    }

    public static JsonElement Of(JsonElement view, string replica) => view.GetProperty("replicas").EnumerateArray().FirstOrDefault(r => r.GetProperty("name").GetString() == replica);

    /// <summary>Null for a replica that is not known of.</summary>
    public static string? StateOf(JsonElement view, string replica) => Of(view, replica) is { ValueKind: JsonValueKind.Object } found ? found.GetProperty("state").GetString() : null;

    public static bool InStep(JsonElement view, int replicas) =>
        view.GetProperty("replicas").GetArrayLength() == replicas && view.GetProperty("replicas").EnumerateArray().All(static r => r.GetProperty("inStep").GetBoolean());

    public static bool IsConnected(JsonElement view) => view.GetProperty("connected").GetBoolean();

    /// <summary>State of the last rollout in a replica's view of the fleet; null for none.</summary>
    public static string? RolloutState(JsonElement view) => view.TryGetProperty("rollout", out JsonElement rollout) ? rollout.GetProperty("state").GetString() : null;

    public static string? RolloutReason(JsonElement view) => view.GetProperty("rollout").GetProperty("reason").GetString();

    /// <summary>The rollout's parts: <c>a:passed b:running</c>.</summary>
    public static string Parts(JsonElement view) => view.TryGetProperty("rollout", out JsonElement rollout)
        ? string.Join(' ', rollout.GetProperty("replicas").EnumerateArray().Select(static p => $"{p.GetProperty("name").GetString()}:{p.GetProperty("state").GetString()}")) : "";

    public static int Desired(JsonElement view) => view.GetProperty("desired").GetProperty("sequence").GetInt32();

    /// <summary>Waits until every replica serves what the fleet wants.</summary>
    public async Task AllInStepAsync()
    {
        foreach (string replica in Running) _ = await ViewAsync(replica, "all in step", v => InStep(v, _running.Count));
    }

    /// <summary>Begins the rollout that the document has, at a replica; the candidate's version.</summary>
    public async Task<string> BeginAsync(string document, string at = "a")
    {
        AdminAnswer begun = await _running[at].TryApplyAsync(document, query: "?rollout=default");
        Assert.True(begun.Status == System.Net.HttpStatusCode.Accepted, begun.Text);
        return begun.Json.GetProperty("version").GetString()!;
    }

    /// <summary>How many rollouts a replica has had of which a request may have got the candidate.</summary>
    public async Task<int> CanariesAsync(string replica) =>
        (await _running[replica].GetAsync("/admin/rollouts")).Json.GetProperty("rollouts").EnumerateArray().Count(static r => r.GetProperty("state").GetString() != "refused");

    /// <summary>The replica has a candidate beside what is live.</summary>
    public async Task<bool> IsTryingAsync(string replica) =>
        (await _running[replica].GetAsync("/admin/rollouts")).Json.GetProperty("rollouts").EnumerateArray().Any(static r => r.GetProperty("endedAt").ValueKind == JsonValueKind.Null);

    public async ValueTask DisposeAsync()
    {
        foreach (GatewayProcess gateway in _running.Values) await gateway.DisposeAsync();
        foreach (TempFolder folder in _folders.Values) folder.Dispose();
    }
}
