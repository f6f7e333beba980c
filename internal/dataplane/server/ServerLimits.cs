using Gateway.Config;
using Gateway.DataPlane.Proxy;
using Microsoft.AspNetCore.Server.Kestrel.Core;

namespace Gateway.DataPlane.Server;

/// <summary>
/// A listener's settings as Kestrel's options. Listeners with equal <see cref="SettingsKey"/> can share a running server; what is not in
/// it (connection limits, body and URL limits that the application applies, certificates, trusted proxies) changes without another one.
/// </summary>
internal static class ServerLimits
{
    public readonly record struct SettingsKey(
        bool Tls, bool Http2, long UrlBytes, int HeaderCount, long HeaderBytes, TimeSpan HeaderTimeout, TimeSpan IdleTimeout, long MinBodyRate);

    /// <summary>
    /// Kestrel refuses with a bare status, before the application sees the request; the application refuses with the body of the error
    /// contract. So Kestrel's limits lie above the configured ones, and a request only meets them when it is in gross excess.
    /// </summary>
    private const int LineSlack = 16 * 1024, HeaderSlack = 32 * 1024, HeaderCountSlack = 100;

    /// <summary>Kestrel's own default: how long a client may send or take slower than the minimum rate.</summary>
    private static readonly TimeSpan Grace = TimeSpan.FromSeconds(5);

    public static SettingsKey KeyOf(ListenerConfig listener) => new(
        listener.Tls is not null, listener.Http2, listener.Limits.UrlBytes.Bytes, listener.Limits.HeaderCount, listener.Limits.HeaderBytes.Bytes,
        listener.Limits.HeaderTimeout, listener.Limits.IdleTimeout, listener.Limits.MinBodyRate.Bytes);

    public static KestrelServerOptions Options(in SettingsKey key, IServiceProvider services)
    {
        KestrelServerOptions options = new() { AllowSynchronousIO = false, ApplicationServices = services };
        GatewayApplication.Configure(options);
        KestrelServerLimits limits = options.Limits;
        limits.KeepAliveTimeout = key.IdleTimeout;
        limits.RequestHeadersTimeout = key.HeaderTimeout;
        limits.MinRequestBodyDataRate = key.MinBodyRate == 0 ? null : new MinDataRate(key.MinBodyRate, Grace);
        // A client that takes nothing: 240 B/s (Kestrel) of what is waiting for it, after as long as an idle connection may stay. Kestrel
        // counts the bytes of the write, so a reader that pauses with a full window of 64 KiB has minutes.
        limits.MinResponseDataRate = new MinDataRate(240, key.IdleTimeout > Grace ? key.IdleTimeout : Grace);
        limits.MaxRequestLineSize = (int)key.UrlBytes + LineSlack;
        limits.MaxRequestHeaderCount = key.HeaderCount + HeaderCountSlack;
        limits.MaxRequestHeadersTotalSize = (int)key.HeaderBytes + HeaderSlack;
        // Kestrel demands that a whole line, and all headers, fit.
        limits.MaxRequestBufferSize = Math.Max(1024 * 1024, Math.Max(limits.MaxRequestLineSize, limits.MaxRequestHeadersTotalSize));

        Http2Limits http2 = limits.Http2;
        http2.MaxStreamsPerConnection = 128;                                  // nginx
        http2.MaxRequestHeaderFieldSize = limits.MaxRequestHeadersTotalSize;  // one field may be as large as all may
        http2.InitialConnectionWindowSize = 2 * 1024 * 1024;                  // twice Kestrel's: one upload of 1 Gbit/s at 16 ms
        http2.InitialStreamWindowSize = 1024 * 1024;
        // A peer that went away without a word is found while its streams are open; an idle connection has its own timeout.
        http2.KeepAlivePingDelay = TimeSpan.FromSeconds(30);
        http2.KeepAlivePingTimeout = TimeSpan.FromSeconds(20);
        return options;
    }
}
