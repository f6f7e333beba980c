using System.Net;
using System.Net.Http.Headers;
using System.Text;
using System.Text.Json;
using Gateway.Bundle;
using Gateway.ControlPlane.Admin;
using Gateway.ControlPlane.Apply;
using Gateway.ControlPlane.Bundles;
using Gateway.ControlPlane.Provider;
using Gateway.ControlPlane.Rollout;
using Gateway.ControlPlane.Store;
using Gateway.DataPlane.Server;
using Gateway.TestKit;
using Microsoft.Extensions.Logging.Abstractions;

namespace Gateway.ControlPlane.Tests;

/// <summary>Both planes in this process, on a folder that may outlive them: a restart is another rig on the same folder.</summary>
internal sealed class ControlRig : IAsyncDisposable
{
    public static readonly ChangeOrigin Admin = new("admin", "token", "127.0.0.1:1");

    private readonly SideListener _side;
    private AdminServer? _server;

    public ControlRig(TempFolder folder, string configName = "gateway.json", BundleVerifier? verifier = null, bool signedOnly = false, Tests.Rollout.FakeCanary? canary = null, DurableFiles? files = null, TimeProvider? time = null)
    {
        files ??= new Store.UnsyncedFiles();
        time ??= TimeProvider.System;
        Folder = folder;
        ConfigFile = folder[configName];
        Store = ConfigStore.Open(folder["data"], files);
        Audit = new AuditLog(folder["data"], files);
        Host = new DataPlaneHost(new DataPlaneOptions(folder.Root, NullLoggerFactory.Instance, TimeProvider.System));
        _side = new SideListener(async address => await AdminServer.StartPlainAsync(AdminListenOptions.ParseAddress(address, "metrics.listener"), c => Api!.HandleSideAsync(c), NullLoggerFactory.Instance));
        Queue = new ApplyQueue(Host, Store, Audit, new DocumentReader(folder.Root), _side, TimeProvider.System, NullLoggerFactory.Instance) { SignedOnly = signedOnly };
        RolloutStore = new RolloutStore(Store, time, files);
        Rollouts = new RolloutDirector(Queue, canary?.Over(Host) ?? new Tests.Rollout.FakeCanary().Over(Host), RolloutStore, Audit, Host.Metrics, time, NullLoggerFactory.Instance);
        File = new FileProvider(ConfigFile, Queue, TimeProvider.System, NullLoggerFactory.Instance);
        Readiness = new Readiness(Host, Queue, File);
        Token = AdminToken.LoadOrCreate(folder["data/admin.token"]);
        Bundles = new BundleIntake(Queue, Rollouts, verifier ?? new BundleVerifier([], 1), Audit, TimeProvider.System, NullLoggerFactory.Instance);
        Api = new AdminApi(Host, Queue, Store, Audit, Readiness, Token, Bundles, Rollouts, TimeProvider.System, NullLoggerFactory.Instance);
    }

    public TempFolder Folder { get; }
    public string ConfigFile { get; }
    public ConfigStore Store { get; }
    public AuditLog Audit { get; }
    public DataPlaneHost Host { get; }
    public ApplyQueue Queue { get; }
    public RolloutStore RolloutStore { get; }
    public RolloutDirector Rollouts { get; }
    public FileProvider File { get; }
    public Readiness Readiness { get; }
    public AdminToken Token { get; }
    public BundleIntake Bundles { get; }
    public AdminApi Api { get; }

    /// <summary>A document whose one route answers with the text.</summary>
    public static string Respond(string body, string more = "") =>
        $$"""{ "version": "v1", "listeners": [ { "name": "web", "address": "127.0.0.1:0" } ], "routes": [ { "name": "r", "respond": { "body": "{{body}}" } } ]{{more}} }""";

    public static ConfigDocument Document(string text) => new(Encoding.UTF8.GetBytes(text), DocumentFormat.Json);

    /// <summary>Writes the file, if given, and starts from it.</summary>
    public async Task<StartResult> StartAsync(string? file = null, bool lastGood = false)
    {
        if (file is not null) await System.IO.File.WriteAllTextAsync(ConfigFile, file);
        return await File.StartAsync(lastGood);
    }

    public Task<ApplyResult> ApplyAsync(string text, IReadOnlyList<string>? ifMatch = null, bool dryRun = false) =>
        Queue.ApplyAsync(new ApplyRequest(Document(text), Admin) { IfMatch = ifMatch, DryRun = dryRun }, CancellationToken.None);

    /// <summary>Begins the rollout that the document has.</summary>
    public Task<RolloutStart> RollOutAsync(string text, string rollout = "default") =>
        Rollouts.StartAsync(new ApplyRequest(Document(text), Admin) { Rollout = rollout }, CancellationToken.None);

    public Task<ApplyResult> RollBackAsync(string? version = null) => Queue.RollbackAsync(version, Admin with { Source = "rollback" }, CancellationToken.None);

    /// <summary>The text that the live document's one route answers with.</summary>
    public string? Serves => Host.Current?.Config.Routes[0].Respond?.Body;

    public async Task<Uri> ServeAdminAsync(AdminListenOptions? listen = null)
    {
        _server = await AdminServer.StartAsync(listen ?? AdminListenOptions.Load("127.0.0.1:0", null, null, null), Api.HandleAsync, NullLoggerFactory.Instance);
        return new Uri(_server.Url);
    }

    public async Task<HttpClient> AdminClientAsync(bool withToken = true)
    {
        HttpClient client = new(new SocketsHttpHandler { UseProxy = false }) { BaseAddress = await ServeAdminAsync() };
        if (withToken) client.DefaultRequestHeaders.Authorization = new AuthenticationHeaderValue("Bearer", TokenText);
        return client;
    }

    public string TokenText => System.IO.File.ReadAllText(Folder["data/admin.token"]).Trim();

    public static async Task<JsonElement> JsonAsync(HttpResponseMessage response) => JsonDocument.Parse(await response.Content.ReadAsStringAsync()).RootElement;

    public static StringContent Json(string text) => new(text, Encoding.UTF8, "application/json");

    public async ValueTask DisposeAsync()
    {
        if (_server is not null) await _server.DisposeAsync();
        await File.DisposeAsync();
        await Rollouts.DisposeAsync();
        await Queue.DisposeAsync();
        await _side.DisposeAsync();
        await Host.DisposeAsync();
        Store.Dispose();
    }
}
