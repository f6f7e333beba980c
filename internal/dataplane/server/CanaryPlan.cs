using Gateway.Config;

namespace Gateway.DataPlane.Server;

/// <summary>Which requests the candidate serves while it is tried beside the live snapshot.</summary>
/// <param name="Percent">0 to 100, exact to 1/100.</param>
/// <param name="Key">
/// What keeps a client with a variant: <c>ip</c> (the address behind trusted proxies), <c>header:NAME</c> or <c>cookie:NAME</c>. A request
/// without it is drawn at random, as is every request when it is null.
/// </param>
public sealed record CanaryPlan(double Percent, RequestKey? Key = null)
{
    /// <summary>
    /// Who is drawn first depends on it and on the key alone, in every process. Null for the candidate's version: each rollout then begins
    /// with other clients, and all replicas with the same.
    /// </summary>
    public string? Salt { get; init; }

    /// <summary>Reads <c>random</c> and the keys that a canary can go by; false for anything else.</summary>
    public static bool TryParseKey(string text, out RequestKey? key)
    {
        key = null;
        if (text == "random") return true;
        if (!RequestKey.TryParse(text, out RequestKey read) || !Serves(read)) return false;
        key = read;
        return true;
    }

    internal static bool Serves(RequestKey key) => key.Kind is RequestKeyKind.Ip or RequestKeyKind.Header or RequestKeyKind.Cookie;
}
