using Gateway.Config;
using Xunit;

namespace Gateway.DataPlane.Tests.Server;

public sealed class ShadowedRouteTests
{
    [Fact]
    public async Task ARoute_IsReportedAsShadowed_OnlyWhenItIsOnEveryListenerThatServesIt()
    {
        await using RunningHost host = new();
        GatewayConfig config = RunningHost.Document(RunningHost.Listener("a"), RunningHost.Listener("b", "127.0.0.2:0")) with
        {
            Routes = [Route("first", "a"), Route("second", "a"), Route("third"), Route("fourth", "b")],
        };
        IReadOnlyList<ConfigError> warnings = host.Host.Compile(config, "v", "test").Warnings;
        // The third is shadowed on a, but not on b.
        Assert.Equal(["routes[1]", "routes[3]"], warnings.Where(static w => w.Code == ConfigErrorCodes.ShadowedRoute).Select(static w => w.Path));
        Assert.Contains("'first'", warnings[0].Message);
        Assert.Contains("'third'", warnings[1].Message);
    }

    private static RouteConfig Route(string name, params string[] listeners) => new() { Name = name, Listeners = listeners, Respond = new RespondConfig() };
}
