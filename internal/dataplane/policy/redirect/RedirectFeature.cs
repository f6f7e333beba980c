using Gateway.Config;
using Gateway.DataPlane.Runtime;

namespace Gateway.DataPlane.Policy.Redirect;

/// <summary>A redirect to another scheme, host, port or path.</summary>
internal static class RedirectFeature
{
    public static IRequestFilter? Compile(in FeatureSite site)
    {
        (RouteConfig route, string path, ICollection<ConfigError> errors) = (site.Route, site.Path, site.Errors);
        if (route.Redirect is not { } redirect) return null;
        int before = errors.Count;
        path += ".redirect";
        if (redirect.Status is not (301 or 302 or 303 or 307 or 308))
            errors.Add(new ConfigError(path + ".status", ConfigErrorCodes.InvalidValue, $"{redirect.Status} is no redirect; use 301, 302, 303, 307 or 308"));
        if (redirect.Scheme is not (null or "http" or "https"))
            errors.Add(new ConfigError(path + ".scheme", ConfigErrorCodes.InvalidValue, $"\"{redirect.Scheme}\" is not known; use \"http\" or \"https\""));
        if (redirect.Host is { } host && (host.Length == 0 || Uri.CheckHostName(host) is UriHostNameType.Unknown or UriHostNameType.Basic))
            errors.Add(new ConfigError(path + ".host", ConfigErrorCodes.InvalidValue, $"\"{host}\" is no host; give a name or an address without scheme and port"));
        if (redirect.Port is < 1 or > 65535)
            errors.Add(new ConfigError(path + ".port", ConfigErrorCodes.OutOfRange, $"{redirect.Port} is no port; give one from 1 to 65535"));
        if (redirect.Path is { } to && (!to.StartsWith('/') || to.AsSpan().ContainsAnyExceptInRange('!', '~')))
            errors.Add(new ConfigError(path + ".path", ConfigErrorCodes.InvalidValue, $"\"{to}\" is no path; it starts with a slash and is percent-encoded"));
        return errors.Count == before ? new RedirectFilter(redirect) : null;
    }
}
