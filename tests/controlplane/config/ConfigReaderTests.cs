using System.Text;
using Gateway.Config;
using Xunit;

namespace Gateway.ControlPlane.Tests.Configuration;

public sealed class ConfigReaderTests
{
    private static ReadResult Read(string json, ReadOptions? options = null) => ConfigReader.ReadJson(Encoding.UTF8.GetBytes(json), options);

    [Fact]
    public void ASmallDocument_IsReadWithDefaultsFilledIn()
    {
        ReadResult result = Read("""
            { "version": "v1", "$schema": "x",
              "listeners": [{ "name": "web", "address": "127.0.0.1:0", "tls": null, "limits": { "bodyBytes": "1Mi", "idleTimeout": "1h30m", "minBodyRate": "240" } }],
              "routes": [{ "name": "all", "pool": "main", "bodyBytes": 5, "match": { "headers": [{ "name": "a", "present": false }] } }],
              "pools": { "main": { "endpoints": [{ "address": "127.0.0.1:1" }], "protocol": "h2c" } },
              "accessLog": { "sample": { "2xx": 0.5 } } }
            """);

        Assert.Empty(result.Errors);
        GatewayConfig config = result.Config!;
        Assert.Equal(ByteSize.MiB(1), config.Listeners[0].Limits.BodyBytes);
        Assert.Equal(TimeSpan.FromMinutes(90), config.Listeners[0].Limits.IdleTimeout);
        Assert.Equal(TimeSpan.FromSeconds(5), config.Listeners[0].Limits.HeaderTimeout);
        Assert.Equal(new ByteSize(5), config.Routes[0].BodyBytes);
        Assert.False(config.Routes[0].Match.Headers[0].Present);
        Assert.Equal(UpstreamProtocol.H2c, config.Pools["main"].Protocol);
        Assert.Equal(0.5, config.AccessLog.Sample["2xx"]);
        Assert.Equal(100, config.History.Keep);
    }
}
