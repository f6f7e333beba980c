namespace Gateway.Config;

[Doc("Keeps a client to the endpoint that answered it first, by a cookie of the gateway's. The cookie names no address, and none that the gateway did not make is believed: it is an HMAC-SHA256 under the key DATA/affinity.key, which replicas that share sessions must share. When the endpoint is gone, ejected or unhealthy, another one is chosen and the cookie set anew.")]
public sealed record AffinityConfig
{
    [Doc("The cookie's name. It is HttpOnly, SameSite=Lax, for all paths, and Secure when the client speaks TLS.")]
    [Example("\"gw\"")]
    public required string Cookie { get; init; }

    [Doc("How long the client keeps it, from when it was set. Default: until the browser ends its session.")]
    [Range("1s", "9000h")]
    public TimeSpan? Ttl { get; init; }
}
