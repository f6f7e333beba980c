using Gateway.Config;
using Gateway.DataPlane.Transport;
using Gateway.TestKit;
using Xunit;

namespace Gateway.DataPlane.Tests.Proxy;

/// <summary>A proxy's settings for what a <see cref="FaultOrigin"/> speaks.</summary>
internal static class FaultProtocols
{
    public static ProxyOptions Options(OriginProtocol protocol, TestCertificates certificates)
    {
        if (protocol is OriginProtocol.Http1 or OriginProtocol.H2c) return new ProxyOptions { Protocol = protocol == OriginProtocol.Http1 ? UpstreamProtocol.Http1 : UpstreamProtocol.H2c };
        List<ConfigError> errors = [];
        UpstreamTls? tls = UpstreamTls.Load(new UpstreamTlsConfig { Ca = certificates.CaFile }, Path.GetDirectoryName(certificates.CaFile)!, "pools.p.tls", errors);
        Assert.Empty(errors);
        return new ProxyOptions { Protocol = UpstreamProtocol.Https, Tls = tls };
    }
}
