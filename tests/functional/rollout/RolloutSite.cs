using System.Text.Json;
using Gateway.Functional.Tests.Distribution;
using Gateway.Functional.Tests.Harness;
using Gateway.TestKit;

namespace Gateway.Functional.Tests.Rollout;

/// <summary>A gateway with a live and a candidate origin, and the documents that lead to one or the other.</summary>
internal sealed class RolloutSite : IAsyncDisposable
{
    /// <summary>Short stages that chance fills, so that a few clients suffice.</summary>
    public const string Quick = """{ "stages": [{ "percent": 20, "for": "1s" }, { "percent": 50, "for": "1s" }], "cohort": "random", "gates": { "minSamples": 50 } }""";

    /// <summary>Stages long enough for ticks of a second within them.</summary>
    public const string Ticking = """{ "stages": [{ "percent": 20, "for": "3s" }, { "percent": 50, "for": "3s" }], "cohort": "random", "gates": { "minSamples": 50 } }""";

    /// <summary>A stage that nothing but a person ends.</summary>
    public const string Long = """{ "stages": [{ "percent": 50, "for": "1h" }], "cohort": "random" }""";

    private RolloutSite(HttpOrigin live, HttpOrigin other, GatewayProcess gateway)
    {
        Live = live;
        Other = other;
        Gateway = gateway;
    }

    public HttpOrigin Live { get; }

    /// <summary>Where candidates send requests to.</summary>
    public HttpOrigin Other { get; }

    public GatewayProcess Gateway { get; private set; }

    public string Candidate(string rollout, string more = "") => Document(Other.Address, rollout, more);

    public static async Task<RolloutSite> StartAsync(string rollout, GatewayProcessOptions? options = null)
    {
        HttpOrigin live = await HttpOrigin.StartAsync("live"), other = await HttpOrigin.StartAsync("other");
        live.Record = other.Record = false;
        return new RolloutSite(live, other, await GatewayProcess.StartAsync(Document(live.Address, rollout), options));
    }

    /// <summary>A gateway that takes what is signed, and what is not where a test begins with that.</summary>
    public static async Task<(RolloutSite Site, Signer Signer)> StartSignedAsync(string rollout, TempFolder folder)
    {
        Signer signer = await Signer.MakeAsync(folder);
        return (await StartAsync(rollout, new GatewayProcessOptions { Arguments = ["--public-key", signer.PublicKey] }), signer);
    }

    /// <summary>Signs the document, pushes it with gatewayctl, and says which rollout that began.</summary>
    public async Task<string> PushAsync(Signer signer, int sequence, string document)
    {
        CommandResult pushed = await Gateway.CtlAsync("bundle", "push", await signer.SignAsync(sequence, document), "--json");
        return pushed.ExitCode == 0 ? JsonDocument.Parse(pushed.Out).RootElement.GetProperty("id").GetString()! : throw new InvalidOperationException(pushed.Both);
    }

    /// <summary>A new process over the folder of one that died.</summary>
    public async Task RestartAsync(GatewayProcessOptions options) => Gateway = await GatewayProcess.StartAsync(null, options);

    public SteadyLoad Load(int clients = 4, TimeSpan pause = default, string target = "/") => SteadyLoad.Start(Gateway.Listener(), Doc.Get(target, "shop.test"), clients, pause);

    /// <summary>Begins a rollout of the document; its id.</summary>
    public async Task<string> BeginAsync(string document, string rollout = "default")
    {
        AdminAnswer answer = await Gateway.TryApplyAsync(document, query: $"?rollout={rollout}");
        return answer.Status == System.Net.HttpStatusCode.Accepted ? answer.Json.GetProperty("id").GetString()! : throw new InvalidOperationException(answer.Text);
    }

    public async Task<JsonElement> RolloutAsync(string id) => (await Gateway.GetAsync($"/admin/rollouts/{id}")).Json;

    /// <summary>The rollout when it has ended.</summary>
    public async Task<JsonElement> EndAsync(string id, TimeSpan? deadline = null)
    {
        JsonElement rollout = default;
        await Eventually.Until($"rollout {id} ends", async () => (rollout = await RolloutAsync(id)).GetProperty("endedAt").ValueKind != JsonValueKind.Null, deadline ?? TimeSpan.FromSeconds(60));
        return rollout;
    }

    /// <summary>Which origin a request comes to now.</summary>
    public async Task<string> OriginAsync()
    {
        RawResponse response = await RawHttpClient.OnceAsync(Gateway.Listener(), Doc.Get("/", "shop.test", "Connection: close\r\n"));
        return response["x-origin"] ?? $"{response.Status}";
    }

    public static string Document(string origin, string rollout, string more = "") => Doc.Of(
        routes: $"{Doc.Route("shop", Doc.Host("shop.test"))}, {Doc.Route("rest")}", pools: Doc.Pool("main", origin),
        more: $$""" "rollout": { "default": {{rollout}} }, {{Doc.NoAccessLog}}{{(more.Length > 0 ? ", " + more : "")}}""");

    public async ValueTask DisposeAsync()
    {
        await Gateway.DisposeAsync();
        await Live.DisposeAsync();
        await Other.DisposeAsync();
    }
}
