using Gateway.DataPlane.Runtime;

namespace Gateway.DataPlane.Transport;

internal static class UpstreamFactory
{
    /// <summary>The connections to one endpoint; opens none before the first request.</summary>
    public static Upstream Create(UpstreamSettings settings) => new HttpClientUpstream(settings);
}
