using Gateway.Config;
using Gateway.DataPlane.Runtime;
using Gateway.DataPlane.Server;
using Xunit;

namespace Gateway.DataPlane.Tests.Server;

public sealed class CompilerTests : IAsyncLifetime
{
    private readonly RunningHost _running = new();

    public ValueTask InitializeAsync() => ValueTask.CompletedTask;

    public ValueTask DisposeAsync() => _running.DisposeAsync();

    internal static PoolConfig Pool(params string[] addresses) => new() { Endpoints = [.. addresses.Select(a => new EndpointConfig { Address = a })] };

    internal static RouteConfig Route(string name, string pool = "p", string prefix = "/") =>
        new() { Name = name, Pool = pool, Match = new MatchConfig { Path = new PathMatchConfig { Prefix = prefix } } };

    internal static GatewayConfig Document(IEnumerable<RouteConfig> routes, params (string Name, PoolConfig Pool)[] pools) =>
        RunningHost.Document(RunningHost.Listener()) with { Routes = [.. routes], Pools = pools.ToDictionary(p => p.Name, p => p.Pool) };

    private GatewaySnapshot Compile(GatewayConfig config)
    {
        CompileResult result = _running.Host.Compile(config, "v", "test");
        Assert.Empty(result.Errors);
        return result.Snapshot!;
    }

    [Fact]
    public void AllErrors_AreCollectedAtOnce()
    {
        GatewayConfig config = new()
        {
            Version = "v1",
            Listeners =
            [
                new ListenerConfig { Name = "a", Address = "nowhere" },
                new ListenerConfig { Name = "b", Address = "127.0.0.1:1", TrustedProxies = ["10.0.0.1/8", "10.0.0.1", "x"] },
                new ListenerConfig { Name = "b", Address = "127.0.0.1:1" },
                new ListenerConfig { Name = "c", Address = "127.0.0.1:2", Tls = new() { Certificates = ["absent", "nofile"], ClientCa = "no.pem" } },
                new ListenerConfig { Name = "d", Address = "127.0.0.1:3", Tls = new() { Certificates = [], ClientCertificate = ClientCertificateMode.Required } },
            ],
            Certificates = new Dictionary<string, CertificateConfig> { ["nofile"] = new() { CertFile = "x.pem", KeyFile = "x.key" } },
            Routes = [Route("r", "absent")],
            Pools = new Dictionary<string, PoolConfig> { ["t"] = Pool("127.0.0.1:9") with { Protocol = UpstreamProtocol.Https, Tls = new() { Ca = "none.pem" } } },
        };
        CompileResult result = _running.Host.Compile(config, "v", "test");
        Assert.Null(result.Snapshot);
        Assert.Equal(
            [
                "certificates.nofile.certFile: file_unreadable",
                "listeners[0].address: invalid_value",
                "listeners[1].trustedProxies[2]: invalid_value",
                "listeners[2].address: conflict",
                "listeners[2].name: duplicate_name",
                "listeners[3].tls.certificates[0]: unknown_reference",
                "listeners[3].tls.clientCa: file_unreadable",
                "listeners[4].tls.certificates: missing_field",
                "listeners[4].tls.clientCa: missing_field",
                "pools.t.tls.ca: file_unreadable",
                "routes[0].pool: unknown_reference",
            ],
            result.Errors.Select(e => $"{e.Path}: {e.Code}").Order(StringComparer.Ordinal));
    }

    [Fact]
    public void RegexThatCannotRunWithoutBacktracking_AndUnknownListener_AreErrors()
    {
        GatewayConfig config = Document(
            [
                new RouteConfig { Name = "a", Pool = "p", Match = new() { Path = new() { Regex = "(?=x)" } } },
                new RouteConfig { Name = "b", Pool = "p", Match = new() { Headers = [new() { Name = "h", Regex = "(" }] } },
                new RouteConfig { Name = "c", Pool = "p", Match = new() { Query = [new() { Name = "q", Regex = @"(.)\1" }] }, Listeners = ["web", "absent"] },
            ],
            ("p", Pool("127.0.0.1:9")));
        Assert.Equal(
            ["routes[0].match.path.regex", "routes[1].match.headers[0].regex", "routes[2].listeners[1]", "routes[2].match.query[0].regex"],
            _running.Host.Compile(config, "v", "test").Errors.Select(e => e.Path).Order(StringComparer.Ordinal));
    }

    [Fact]
    public void ListenersWithTheSameRoutes_ShareATable_AndOthersHaveTheirOwn()
    {
        GatewayConfig config = RunningHost.Document(RunningHost.Listener("a"), RunningHost.Listener("b"), RunningHost.Listener("c")) with
        {
            Routes = [Route("all"), Route("two", prefix: "/x") with { Listeners = ["a", "b"] }],
            Pools = new Dictionary<string, PoolConfig> { ["p"] = Pool("127.0.0.1:9") },
        };
        ListenerModel[] listeners = Compile(config).Listeners;
        Assert.Same(listeners[0].Routes, listeners[1].Routes);
        Assert.NotSame(listeners[0].Routes, listeners[2].Routes);
    }

    [Fact]
    public void RouteThatNoRequestReaches_IsAWarningThatNamesTheOneThatShadowsIt()
    {
        CompileResult result = _running.Host.Compile(Document([Route("first"), Route("second")], ("p", Pool("127.0.0.1:9"))), "v", "test");
        ConfigError warning = Assert.Single(result.Warnings);
        Assert.Equal(("routes[1]", "shadowed_route"), (warning.Path, warning.Code));
        Assert.Contains("'first'", warning.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Zero_MeansNoTimeLimit()
    {
        RouteModel route = Compile(Document([Route("r") with { Timeouts = new() { Request = TimeSpan.Zero, Attempt = TimeSpan.FromSeconds(1) } }], ("p", Pool("127.0.0.1:9")))).Routes[0];
        Assert.Equal((Timeout.InfiniteTimeSpan, TimeSpan.FromSeconds(1)), (route.RequestTimeout, route.AttemptTimeout));
    }

    [Fact]
    public async Task WhatIsUnchanged_IsTheSameObjectInTheNextSnapshot()
    {
        GatewayConfig config = Document([Route("r")], ("p", Pool("127.0.0.1:9", "127.0.0.1:10")), ("q", Pool("127.0.0.1:9")));
        await _running.ApplyAsync(config);
        GatewaySnapshot first = _running.Host.Current!;
        await _running.ApplyAsync(config with { Routes = [Route("r"), Route("s", prefix: "/s")] });
        GatewaySnapshot second = _running.Host.Current!;

        Assert.Same(first.Routes[0].State, second.Routes[0].State);
        Assert.Same(first.Listeners[0].State, second.Listeners[0].State);
        Assert.Same(first.Pools[0].State, second.Pools[0].State);
        Assert.Same(first.Pools[0].Current.Levels[0].Balancer, second.Pools[0].Current.Levels[0].Balancer);
        Assert.Same(first.Pools[0].Current.Endpoints[1].State, second.Pools[0].Current.Endpoints[1].State);
        Assert.Same(first.Pools[0].Current.Endpoints[1].Upstream, second.Pools[0].Current.Endpoints[1].Upstream);
        // The same address in another pool is another endpoint, with connections of its own.
        Assert.NotSame(first.Pools[0].Current.Endpoints[0].State, first.Pools[1].Current.Endpoints[0].State);
    }

    [Fact]
    public async Task ConnectionSettingsThatChange_GiveOtherConnections_ToTheSameEndpoint()
    {
        await _running.ApplyAsync(Document([], ("p", Pool("127.0.0.1:9"))));
        EndpointModel before = _running.Host.Current!.Pools[0].Current.Endpoints[0];
        await _running.ApplyAsync(Document([], ("p", Pool("127.0.0.1:9") with { Connections = new() { MaxPerEndpoint = 7 } })));
        EndpointModel after = _running.Host.Current!.Pools[0].Current.Endpoints[0];
        Assert.Same(before.State, after.State);
        Assert.NotSame(before.Upstream, after.Upstream);
        await Gateway.TestKit.Eventually.Until("the old connections are released", () => before.Upstream.Released);
    }

    [Fact]
    public async Task WeightThatChanges_GivesAnotherBalancer()
    {
        await _running.ApplyAsync(Document([], ("p", Pool("127.0.0.1:9"))));
        PoolModel before = _running.Host.Current!.Pools[0];
        await _running.ApplyAsync(Document([], ("p", new PoolConfig { Endpoints = [new() { Address = "127.0.0.1:9", Weight = 2 }] })));
        Assert.NotSame(before.Current.Levels[0].Balancer, _running.Host.Current!.Pools[0].Current.Levels[0].Balancer);
    }
}
