using System.Security.Cryptography;
using System.Text;
using Gateway.Config;
using Gateway.DataPlane.Obs;

namespace Gateway.DataPlane.Runtime;

/// <param name="IsSecret">Its values are kept as hashes.</param>
internal readonly record struct RecordedField(string Name, bool IsSecret);

/// <summary>What of requests is kept for replays, in one snapshot: what its routes ask for, and what the document names besides.</summary>
internal sealed class RecordingModel
{
    public static readonly RecordingModel Off = new();

    // Of this process alone: a hash tells values apart and says nothing of them.
    private static readonly byte[] HashKey = RandomNumberGenerator.GetBytes(32);

    /// <summary>How many requests are kept; 0 for none.</summary>
    public int Keep { get; private init; }

    /// <summary>One in how many.</summary>
    public int Every { get; private init; } = 1;

    public RecordedField[] Headers { get; private init; } = [];
    public string[] QueryNames { get; private init; } = [];

    public static RecordingModel Compile(GatewayConfig config)
    {
        if (config.Replay.Keep == 0) return Off;
        var headers = new HashSet<string>(config.Replay.Headers, StringComparer.OrdinalIgnoreCase);
        var query = new HashSet<string>(StringComparer.Ordinal);
        foreach (RouteConfig route in config.Routes)
        {
            foreach (ValueMatchConfig match in route.Match.Headers) headers.Add(match.Name);
            foreach (ValueMatchConfig match in route.Match.Query) query.Add(match.Name);
        }
        return new RecordingModel
        {
            Keep = config.Replay.Keep,
            Every = config.Replay.Every,
            Headers = [.. headers.Select(static name => new RecordedField(name, IsSecret(name)))],
            QueryNames = [.. query],
        };
    }

    /// <summary>The parameters of a raw query that are kept, in their order; their values as they came, or hashed.</summary>
    public string Keeps(ReadOnlySpan<char> query)
    {
        var kept = new StringBuilder();
        foreach (Range range in query.Split('&'))
        {
            ReadOnlySpan<char> parameter = query[range];
            int equals = parameter.IndexOf('=');
            string name = Uri.UnescapeDataString((equals < 0 ? parameter : parameter[..equals]).ToString().Replace('+', ' '));
            if (Array.IndexOf(QueryNames, name) < 0) continue;
            if (kept.Length != 0) kept.Append('&');
            if (equals < 0 || !UrlRedaction.IsSecretName(name)) kept.Append(parameter);
            else kept.Append(parameter[..(equals + 1)]).Append(Hash(parameter[(equals + 1)..].ToString()));
        }
        return kept.ToString();
    }

    /// <summary>The same for the same value as long as the process lives; 64 bits as hexadecimal digits.</summary>
    public string Hash(string value) => $"hash-{Convert.ToHexStringLower(HMACSHA256.HashData(HashKey, Encoding.UTF8.GetBytes(value)).AsSpan(0, 8))}";

    private static bool IsSecret(string header) =>
        header.Equals("Cookie", StringComparison.OrdinalIgnoreCase) || header.Contains("auth", StringComparison.OrdinalIgnoreCase) || UrlRedaction.IsSecretName(header)
        || header.Contains("session", StringComparison.OrdinalIgnoreCase) || header.EndsWith("-key", StringComparison.OrdinalIgnoreCase);
}
