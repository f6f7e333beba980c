using Gateway.Config;
using Gateway.Core.Rollout;
using Gateway.DataPlane.Runtime;
using Gateway.DataPlane.Server;
using Gateway.TestKit;
using Microsoft.AspNetCore.Http;
using Xunit;

namespace Gateway.DataPlane.Tests.Server;

public sealed class CanaryTests : IAsyncLifetime
{
    private readonly CanaryRig _rig = new();

    public ValueTask InitializeAsync() => new(_rig.ApplyAsync(CanaryRig.Answering("live")));

    public ValueTask DisposeAsync() => _rig.DisposeAsync();

    [Fact]
    public async Task AUserStaysWithItsVariant_AndWithTheCandidateWhenTheShareGrows()
    {
        await _rig.BeginAsync(CanaryRig.Answering("candidate"), 1, CanaryRig.User);
        string early = _rig.UserIn(1), late = _rig.UserIn(50, below: 10), never = _rig.UserIn(100, below: 50);
        for (int i = 0; i < 5; i++) Assert.Equal(["candidate", "live", "live"], await TextsAsync(early, late, never));
        _rig.Host.SetCanaryShare(10);
        Assert.Equal(["candidate", "live", "live"], await TextsAsync(early, late, never));
        _rig.Host.SetCanaryShare(50);
        Assert.Equal(["candidate", "candidate", "live"], await TextsAsync(early, late, never));
        _rig.Host.SetCanaryShare(0);
        Assert.Equal(["live", "live", "live"], await TextsAsync(early, late, never));
        _rig.Host.SetCanaryShare(100);
        Assert.Equal(["candidate", "candidate", "candidate"], await TextsAsync(early, late, never));
    }

    [Fact]
    public async Task WithoutTheKeysValue_RequestsAreDrawn()
    {
        await _rig.BeginAsync(CanaryRig.Answering("candidate"), 50, CanaryRig.User);
        HashSet<string> seen = [];
        // 2^-199 to fail by chance.
        for (int i = 0; i < 200 && seen.Count < 2; i++) seen.Add((await _rig.GetAsync()).Text);
        Assert.Equal(2, seen.Count);
    }

    [Fact]
    public async Task EndOfACanary_TakesEveryRequestBack_AndReleasesTheCandidate()
    {
        int states = _rig.Host.Registry.Count;
        await _rig.BeginAsync(CanaryRig.Answering("candidate"), 100);
        Assert.Equal("candidate", (await _rig.GetAsync()).Text);
        Assert.True(await _rig.Host.EndCanaryAsync());
        Assert.Equal("live", (await _rig.GetAsync()).Text);
        Assert.Null(_rig.Host.ReadCanary());
        Assert.False(await _rig.Host.EndCanaryAsync());
        Assert.Throws<InvalidOperationException>(() => _rig.Host.SetCanaryShare(1));
        await Eventually.Until("only the live states are left", () =>
        {
            _rig.Host.Registry.Sweep();
            return _rig.Host.Registry.Count == states && _rig.Host.RetiredSnapshots == 0;
        });
    }

    [Fact]
    public async Task PromotedCandidate_IsCurrent_AndNothingOfTheTrialIsLeft()
    {
        int states = _rig.Host.Registry.Count;
        await _rig.BeginAsync(CanaryRig.Answering("candidate"), 10, CanaryRig.User);
        string version = _rig.Host.ReadCanary()!.Version;
        Assert.Empty(await _rig.Host.PromoteCanaryAsync(CancellationToken.None));
        Assert.Equal(version, _rig.Host.Current!.Version);
        Assert.Null(_rig.Host.ReadCanary());
        Assert.Equal(["candidate", "candidate"], await TextsAsync("one", "two"));
        await Eventually.Until("only the live states are left", () =>
        {
            _rig.Host.Registry.Sweep();
            return _rig.Host.Registry.Count == states && _rig.Host.RetiredSnapshots == 0;
        });
        await Assert.ThrowsAsync<InvalidOperationException>(() => _rig.Host.PromoteCanaryAsync(CancellationToken.None));
    }

    [Fact]
    public async Task Publish_EndsTheCanary()
    {
        await _rig.BeginAsync(CanaryRig.Answering("candidate"), 100);
        await _rig.ApplyAsync(CanaryRig.Answering("later"));
        Assert.Equal("later", (await _rig.GetAsync()).Text);
        Assert.Null(_rig.Host.ReadCanary());
        await _rig.BeginAsync(CanaryRig.Answering("candidate"), 100);
        Assert.Empty(await _rig.Host.PublishAsync(_rig.Host.Current!, CancellationToken.None));
        Assert.Equal("later", (await _rig.GetAsync()).Text);
    }

    [Fact]
    public async Task OnlyOneAtATime()
    {
        await _rig.BeginAsync(CanaryRig.Answering("candidate"), 100);
        GatewaySnapshot other = _rig.Compile(CanaryRig.Answering("other"));
        await Assert.ThrowsAsync<InvalidOperationException>(() => _rig.Host.BeginCanaryAsync(other, new CanaryPlan(1), CancellationToken.None));
        Assert.Equal("candidate", (await _rig.GetAsync()).Text);
    }

    [Theory]
    [InlineData(-0.01)]
    [InlineData(100.01)]
    [InlineData(double.NaN)]
    public async Task AShareThatIsNone_IsRefused(double percent)
    {
        await Assert.ThrowsAsync<ArgumentOutOfRangeException>(() => _rig.Host.BeginCanaryAsync(_rig.Host.Current!, new CanaryPlan(percent), CancellationToken.None));
        Assert.Null(_rig.Host.ReadCanary());
    }

    [Fact]
    public async Task RequestsAreBoundToTheEnd_AndTheCandidateIsHeldUntilThen()
    {
        await using HttpOrigin origin = await HttpOrigin.StartAsync();
        Gate gate = origin.Gate("hold");
        origin.Map("/held", async http => { await gate.PassAsync(); await http.Response.WriteAsync("done"); });
        await _rig.BeginAsync(CanaryRig.Document("""{ "name": "b", "pool": "p" }""", $$""" "p": { "endpoints": [{ "address": "{{origin.Address}}" }] } """), 100);
        Task<(int, string)> held = _rig.GetAsync("/held");
        await Eventually.Until("the request is at the origin", () => origin.InFlight == 1);
        await _rig.Host.EndCanaryAsync();
        Assert.Equal(1, _rig.Host.RetiredSnapshots);
        gate.Open();
        Assert.Equal((200, "done"), await held);
        await Eventually.Until("the candidate is free", () => _rig.Host.RetiredSnapshots == 0);
    }

    [Fact]
    public async Task ListenersThatOnlyOneHas_ServeFromTheLiveSnapshot_UntilPromotion()
    {
        const string Old = """{ "name": "old", "address": "127.0.0.1:0" }""", New = """{ "name": "new", "address": "127.0.0.1:0" }""";
        await _rig.ApplyAsync(CanaryRig.Answering("live", $"{CanaryRig.Web}, {Old}"));
        await _rig.BeginAsync(CanaryRig.Answering("candidate", $"{CanaryRig.Web}, {New}"), 100);
        Assert.Equal(["old", "web"], _rig.Host.Listeners().Select(static l => l.Name).Order());
        Assert.Equal("live", (await _rig.GetAsync(listener: "old")).Text);
        Assert.Equal("candidate", (await _rig.GetAsync()).Text);
        CanaryReading reading = await _rig.ReadAsync(1);
        Assert.Equal((0, 1), (reading.All.Stable.Requests, reading.All.Canary.Requests));
        Assert.Empty(await _rig.Host.PromoteCanaryAsync(CancellationToken.None));
        Assert.Equal(["new", "web"], _rig.Host.Listeners().Select(static l => l.Name).Order());
        Assert.Equal("candidate", (await _rig.GetAsync(listener: "new")).Text);
    }

    [Fact]
    public async Task AListenerThatCannotBeBound_IsSaidAtTheBeginning_AndNothingHasChanged()
    {
        int states = _rig.Host.Registry.Count;
        GatewaySnapshot bad = _rig.Compile(CanaryRig.Answering("candidate", $$"""{{CanaryRig.Web}}, { "name": "far", "address": "192.0.2.1:80" }"""));
        ConfigError error = Assert.Single(await _rig.Host.BeginCanaryAsync(bad, new CanaryPlan(100), CancellationToken.None));
        Assert.Equal("listeners[1].address", error.Path);
        Assert.Null(_rig.Host.ReadCanary());
        Assert.Equal("live", (await _rig.GetAsync()).Text);
        _rig.Host.Registry.Sweep();
        Assert.Equal(states, _rig.Host.Registry.Count);
    }

    [Fact]
    public async Task AListenerThatTheCandidateWantsCertificatesOn_DoesNotServeItWithout()
    {
        using TestCertificates authority = new(_rig.Folder.Root);
        authority.Server("site", "site.test");
        const string Certificates = """, "certificates": { "site": { "certFile": "site.pem", "keyFile": "site.key" } }""";
        string listener = """{ "name": "web", "address": "127.0.0.1:0", "tls": { "certificates": ["site"] } }""";
        await _rig.BeginAsync(CanaryRig.Document("""{ "name": "a", "respond": { "status": 200, "body": "behind TLS" } }""", "", listener, Certificates), 100);
        Assert.Equal("live", (await _rig.GetAsync()).Text);
    }

    [Fact]
    public async Task StopWithACanary_Ends()
    {
        await _rig.BeginAsync(CanaryRig.Answering("candidate"), 50);
        await _rig.GetAsync();
        StopReport report = await _rig.Host.StopAsync(TimeSpan.FromSeconds(10));
        Assert.Equal(0, report.Aborted);
        await Assert.ThrowsAsync<ObjectDisposedException>(() => _rig.Host.PromoteCanaryAsync(CancellationToken.None));
        Assert.True(await _rig.Host.EndCanaryAsync());
    }

    private async Task<string[]> TextsAsync(params string[] users)
    {
        List<string> texts = [];
        foreach (string user in users) texts.Add((await _rig.GetAsync(user: user)).Text);
        return [.. texts];
    }
}
