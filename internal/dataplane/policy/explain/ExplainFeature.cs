using System.Net;
using System.Text;
using Gateway.Config;
using Gateway.DataPlane.Runtime;

namespace Gateway.DataPlane.Policy.Explain;

/// <summary>The header with which a client asks why its request went where it did. One filter for all routes; without the section there is none.</summary>
internal static class ExplainFeature
{
    /// <summary>Of a whole document; null when it is off.</summary>
    public static IRequestFilter? Of(DebugConfig debug, TimeProvider time, ICollection<ConfigError> errors)
    {
        if (debug.ExplainHeader is not { } header) return null;
        var networks = new IPNetwork[header.Addresses.Count];
        for (int i = 0; i < networks.Length; i++)
        {
            if (!IPNetwork.TryParse(header.Addresses[i], out networks[i]))
                errors.Add(new ConfigError($"debug.explainHeader.addresses[{i}]", ConfigErrorCodes.InvalidValue, $"'{header.Addresses[i]}' is no network; write one as 10.0.0.0/8 or fd00::/8"));
        }
        return new ExplainFilter(networks, header.Key?.Value is { } key ? Encoding.UTF8.GetBytes(key) : null, time);
    }

    public static IRequestFilter? Compile(in FeatureSite site) => site.ExplainHeader;
}
