using System.Globalization;
using System.Net;
using System.Text;
using System.Text.Json;
using System.Text.RegularExpressions;
using Gateway.Bundle;
using Gateway.Functional.Tests.Harness;
using Gateway.TestKit;
using Xunit;

namespace Gateway.Functional.Tests.Kill;

/// <summary>
/// One data folder and one gateway after another on it, each of which kills itself at some durable step of a start, an apply, a bundle, a
/// refused document, a rollback, a rollout, a pull, or a layer that comes and goes. What each finds is held against what the one before had answered.
/// </summary>
internal sealed partial class KillRun : IAsyncDisposable
{
    private const int Keep = 5;

    /// <summary>Changes between a start and the next; a process that survives them all is killed from outside.</summary>
    private static readonly string[] Work = ["apply", "layer", "bundle", "refused", "apply", "layer", "remove", "rollback", "rollout", "pull", "rollout"];

    private readonly TempFolder _folder = new();
    private readonly SigningKey _key = SigningKey.Generate();
    private readonly HttpOrigin _distributor;

    // What the distributor has; null for no news, so that nothing is pulled but when it is looked at.
    private byte[]? _published;
    private int _texts;
    private int _turn;
    private long _bundles;
    private long _answeredBundle;
    private byte[]? _answeredEnvelope;
    private long _lastSequence;

    // What was answered last, and what was on its way when the process died; null for nothing.
    private string _answered = "start";
    private string? _underWay;
    private readonly Dictionary<string, string> _versions = [];

    private KillRun(HttpOrigin distributor)
    {
        _distributor = distributor;
        _ = _folder.Write("trusted.pub", _key.Public.ToPem());
        _distributor.Record = false;
        _distributor.Map("/bundles/latest", async http =>
        {
            byte[]? published = Volatile.Read(ref _published);
            if (published is null)
            {
                http.Response.StatusCode = 304;
                return;
            }
            http.Response.Headers.ETag = $"\"{BundleFile.DigestOf(published)}\"";
            if (http.Request.Headers.IfNoneMatch == http.Response.Headers.ETag) http.Response.StatusCode = 304;
            else await http.Response.Body.WriteAsync(published);
        });
    }

    public static async Task<KillRun> StartAsync() => new(await HttpOrigin.StartAsync("distributor"));

    private string[] Arguments => ["--public-key", _folder["trusted.pub"], "--allow-unsigned", "--pull", _distributor.Uri.ToString(), "--pull-interval", "1s"];

    /// <summary>How often a layer was laid over what was live.</summary>
    public int Layered { get; private set; }

    /// <summary>How often each point killed.</summary>
    public SortedDictionary<string, int> Points { get; } = new(StringComparer.Ordinal);

    /// <summary>Starts a gateway that dies at its n-th durable step, checks what it found, and has it work until then.</summary>
    public async Task OnceAsync(int nth)
    {
        GatewayProcess gateway;
        try
        {
            gateway = await GatewayProcess.StartAsync(_texts == 0 ? Document("start", isBase: true) : null, new GatewayProcessOptions
            {
                Folder = _folder,
                Arguments = Arguments,
                Environment = new Dictionary<string, string> { ["GATEWAY_FAULT"] = $"any:{nth.ToString(CultureInfo.InvariantCulture)}" },
            });
        }
        catch (InvalidOperationException e) when (Fault().Match(e.Message) is { Success: true } fault)
        {
            Count("start", fault.Groups[1].Value);
            return;
        }
        await using (gateway)
        {
            string step = "look";
            try
            {
                await CheckAsync(gateway);
                foreach (string work in Work)
                {
                    // Not the same steps after each start.
                    step = Work[_turn++ % Work.Length];
                    await ChangeAsync(gateway, step);
                }
                await gateway.KillAsync();
                Count("idle", "killed from outside");
                return;
            }
            catch (Exception e) when (e is HttpRequestException or IOException or System.Net.Sockets.SocketException or OperationCanceledException)
            {
                // It died; anything else is a finding.
            }
            _published = null;
            _ = await gateway.WaitForExitAsync();
            Match match = Fault().Match(gateway.Logs());
            Assert.True(match.Success, $"it ended otherwise than it should:\n{gateway.Logs()}");
            Count(step, match.Groups[1].Value);
        }
    }

    /// <summary>One that does not die, to look at what the last one left.</summary>
    public async Task EndAsync()
    {
        await using GatewayProcess gateway = await GatewayProcess.StartAsync(null, new GatewayProcessOptions { Folder = _folder, Arguments = Arguments });
        await CheckAsync(gateway);
        Assert.DoesNotContain(gateway.Error, static line => line.Contains("damaged", StringComparison.Ordinal));
    }

    public async ValueTask DisposeAsync()
    {
        await _distributor.DisposeAsync();
        _key.Dispose();
        _folder.Dispose();
    }

    private static string Routes(string text) => $$"""{ "name": "one", "match": { "path": { "prefix": "/one" } }, "respond": { "body": "{{text}}" } }, { "name": "rest", "respond": { "body": "{{text}}" } }""";

    // The file's may be laid over.
    private static string Document(string text, bool isBase = false) => Doc.Of(
        routes: isBase ? Routes(text).Replace("{ \"name\"", "{ \"overridable\": true, \"name\"", StringComparison.Ordinal) : Routes(text), pools: "", more: $$"""
        "history": { "keep": {{Keep}} }, "rollout": { "quick": { "stages": [{ "percent": 50, "for": "0s" }], "gates": { "minSamples": 1, "maxTime": "1s" } } }
        """);

    private static async Task<string> TextAsync(GatewayProcess gateway)
    {
        string one = (await RawHttpClient.OnceAsync(gateway.Listener(), Doc.Get("/one"))).Text, rest = (await RawHttpClient.OnceAsync(gateway.Listener(), Doc.Get())).Text;
        Assert.True(one == rest, $"mixed: '{one}' and '{rest}'");
        return rest;
    }

    private async Task CheckAsync(GatewayProcess gateway)
    {
        string text = await TextAsync(gateway);
        Assert.True(text == _answered || text == _underWay, $"it serves '{text}'; answered was '{_answered}', under way was '{_underWay}'\n{gateway.Logs()}");
        (_answered, _underWay) = (text, null);
        JsonElement[] history = [.. (await GetAsync(gateway, "/admin/history?limit=1000")).GetProperty("entries").EnumerateArray()];
        long[] sequences = [.. history.Select(static e => e.GetProperty("sequence").GetInt64())];
        Assert.Equal(sequences.OrderDescending().Distinct(), sequences);
        Assert.True(sequences[0] >= _lastSequence, $"the history ends with {sequences[0]}, and {_lastSequence} was answered");
        _lastSequence = sequences[0];
        JsonElement live = Assert.Single(history, static e => e.GetProperty("live").GetBoolean());
        Assert.Equal((await GetAsync(gateway, "/admin/snapshot")).GetProperty("version").GetString(), live.GetProperty("version").GetString());
        Assert.Equal(history.First(static e => e.GetProperty("result").GetString() == "applied").GetProperty("sequence").GetInt64(), live.GetProperty("sequence").GetInt64());
        Assert.Contains($"\"{text}\"", (await gateway.GetAsync("/admin/config")).Text, StringComparison.Ordinal);
        // Every record that can be gone back to can be read.
        foreach (string version in history.Where(static e => e.GetProperty("result").GetString() == "applied").Select(static e => e.GetProperty("version").GetString()!).Distinct())
            Assert.Equal(HttpStatusCode.OK, (await gateway.GetAsync($"/admin/config?version={version}")).Status);
        long recorded = history.Max(static e => e.TryGetProperty("bundleSequence", out JsonElement sequence) ? sequence.GetInt64() : 0);
        Assert.InRange(recorded, _answeredBundle, _bundles);
        JsonElement[] audit = [.. (await GetAsync(gateway, "/admin/audit?limit=1000")).GetProperty("entries").EnumerateArray()];
        Assert.Contains(audit, e => e.TryGetProperty("version", out JsonElement version) && version.GetString() == live.GetProperty("version").GetString());
        AdminAnswer rollouts = await gateway.GetAsync("/admin/rollouts");
        if (rollouts.Status == HttpStatusCode.OK) Assert.DoesNotContain("\"running\"", rollouts.Text, StringComparison.Ordinal);
        Assert.Empty(Directory.EnumerateFiles(gateway.DataDir, "*.tmp", SearchOption.AllDirectories));
        if (_answeredEnvelope is { } old)
        {
            AdminAnswer again = await PushAsync(gateway, old);
            Assert.Contains("stale_sequence", again.Text, StringComparison.Ordinal);
            Assert.Equal(_answered, await TextAsync(gateway));
            _lastSequence++;
        }
    }

    private async Task ChangeAsync(GatewayProcess gateway, string what)
    {
        string text = $"{what}-{++_texts}";
        if (what == "refused")
        {
            Assert.Equal(HttpStatusCode.BadRequest, (await gateway.TryApplyAsync("{ \"version\": \"v1\", \"odd\": 1 }")).Status);
            _lastSequence++;
            return;
        }
        if (what == "remove") text = "start";
        string? version = null;
        byte[]? envelope = what is "bundle" or "pull" ? Signed(Document(text)) : null;
        if (what == "rollback" && (version = _versions.FirstOrDefault(v => v.Value != _answered).Key) is { } target) text = _versions[target];
        _underWay = text;
        if (what == "pull")
        {
            await PullAsync(gateway, envelope!, text);
            return;
        }
        AdminAnswer answer = what switch
        {
            "rollback" when version is not null => await gateway.PostAsync("/admin/rollback", $$"""{ "version": "{{version}}" }"""),
            "bundle" => await PushAsync(gateway, envelope!),
            "layer" => await gateway.TryApplyAsync($$"""{ "version": "v1", "merge": "byName", "routes": [ {{Routes(text)}} ] }"""),
            "remove" => await gateway.DeleteAsync("/admin/config"),
            "rollout" => await gateway.TryApplyAsync(Document(text), query: "?rollout=quick"),
            _ => await gateway.TryApplyAsync(Document(text)),
        };
        // A bundle that replaces everything leaves nothing to lay a document over.
        if (what == "layer" && answer.Status == HttpStatusCode.BadRequest && answer.Json.GetProperty("errors")[0].GetProperty("path").GetString() == "merge")
        {
            _underWay = null;
            _lastSequence++;
            return;
        }
        if (what == "layer") Layered++;
        // What is not kept any more cannot be gone back to, and a layer that is not there cannot be removed.
        if (answer.Status == HttpStatusCode.NotFound)
        {
            if (version is not null) _ = _versions.Remove(version);
            _underWay = null;
            return;
        }
        Assert.True(answer.Status is HttpStatusCode.OK or HttpStatusCode.Accepted, $"{what}: {answer.Status} {answer.Text}\n{gateway.Logs()}");
        if (answer.Status == HttpStatusCode.Accepted)
        {
            await Eventually.Until($"the end of the rollout of {text}", async () => (await TextOfAnyAsync(gateway), (await gateway.GetAsync($"/admin/rollouts/{answer.Json.GetProperty("id").GetString()}")).Json.GetProperty("state").GetString()) is (_, not "running"));
        }
        // Under a bundle that replaces everything a layer comes and goes unseen.
        if (what == "remove" && await TextAsync(gateway) is var served && served == _answered) text = served;
        (_answered, _underWay) = (text, null);
        _versions[answer.Json.GetProperty("version").GetString()!] = text;
        if (what != "remove") _lastSequence++;
        if (envelope is not null) (_answeredBundle, _answeredEnvelope) = (_bundles, envelope);
    }

    private async Task PullAsync(GatewayProcess gateway, byte[] envelope, string text)
    {
        double before = (await gateway.MetricsAsync()).Sum("gateway_config_pulls_total", "result=\"applied\"");
        _published = envelope;
        // Counted when what it remembers of it is on the disk too.
        await Eventually.Until($"{text} is pulled", async () => (await gateway.MetricsAsync()).Sum("gateway_config_pulls_total", "result=\"applied\"") > before);
        _published = null;
        Assert.Equal(text, await TextAsync(gateway));
        (_answered, _underWay) = (text, null);
        _versions[(await GetAsync(gateway, "/admin/snapshot")).GetProperty("version").GetString()!] = text;
        _lastSequence++;
        (_answeredBundle, _answeredEnvelope) = (_bundles, envelope);
    }

    // While a candidate serves a share, two requests may meet two versions.
    private static async Task<string> TextOfAnyAsync(GatewayProcess gateway) => (await RawHttpClient.OnceAsync(gateway.Listener(), Doc.Get())).Text;

    private byte[] Signed(string document)
    {
        byte[] config = Encoding.UTF8.GetBytes(document);
        DateTimeOffset now = TimeProvider.System.GetUtcNow();
        return BundleFile.Sign(new BundleManifest { Sequence = ++_bundles, CreatedAt = now, ExpiresAt = now.AddHours(1), Source = "", ConfigSha256 = BundleFile.DigestOf(config), Config = config }, [_key]);
    }

    private static Task<AdminAnswer> PushAsync(GatewayProcess gateway, byte[] envelope) => gateway.PostAsync("/admin/bundle", Encoding.UTF8.GetString(envelope));

    private static async Task<JsonElement> GetAsync(GatewayProcess gateway, string path)
    {
        AdminAnswer answer = await gateway.GetAsync(path);
        Assert.Equal(HttpStatusCode.OK, answer.Status);
        return answer.Json;
    }

    private void Count(string step, string point) => Points[$"{step} | {point}"] = Points.GetValueOrDefault($"{step} | {point}") + 1;

    [GeneratedRegex("fault: (\\S+)")]
    private static partial Regex Fault();
}
