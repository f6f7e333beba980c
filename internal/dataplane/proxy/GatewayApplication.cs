using System.Text;
using Gateway.DataPlane.Runtime;
using Microsoft.AspNetCore.Hosting.Server;
using Microsoft.AspNetCore.Http.Features;
using Microsoft.AspNetCore.Server.Kestrel.Core;

namespace Gateway.DataPlane.Proxy;

/// <summary>What a listener's Kestrel calls for each request: from there to the recorded outcome.</summary>
internal sealed class GatewayApplication(ProxyServices services, ListenerState listener) : IHttpApplication<Exchange>
{
    /// <summary>The server options that the exchange relies on. Limits that it answers itself are the caller's to set with slack.</summary>
    public static void Configure(KestrelServerOptions options)
    {
        options.AddServerHeader = false;
        options.AllowResponseHeaderCompression = true;
        // Header bytes go through as they are: Latin-1 maps every byte to one character and back.
        options.RequestHeaderEncodingSelector = static _ => Encoding.Latin1;
        options.ResponseHeaderEncodingSelector = static _ => Encoding.Latin1;
        // HTTP/2 behind a proxy that ended TLS says https on a connection without it.
        options.AllowAlternateSchemes = true;
        // The absolute form's authority replaces Host (RFC 9112 section 3.2.2).
        options.AllowHostHeaderOverride = true;
        // The body limit is the route's, so it is counted here.
        options.Limits.MaxRequestBodySize = null;
        options.Limits.MaxResponseBufferSize = 64 * 1024;
    }

    public Exchange CreateContext(IFeatureCollection contextFeatures) => throw new NotImplementedException($"{services} {listener}");

    public Task ProcessRequestAsync(Exchange context) => throw new NotImplementedException();

    public void DisposeContext(Exchange context, Exception? exception) => throw new NotImplementedException();
}
