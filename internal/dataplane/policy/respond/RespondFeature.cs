using Gateway.Config;
using Gateway.DataPlane.Runtime;

namespace Gateway.DataPlane.Policy.Respond;

/// <summary>A fixed response.</summary>
internal static class RespondFeature
{
    public static IRequestFilter? Compile(in FeatureSite site)
    {
        (RouteConfig route, string path, ICollection<ConfigError> errors) = (site.Route, site.Path, site.Errors);
        if (route.Respond is not { } respond) return null;
        int before = errors.Count;
        if (respond.Status is < 200 or > 599)
            errors.Add(new ConfigError(path + ".respond.status", ConfigErrorCodes.OutOfRange, $"{respond.Status} is no final status; give one from 200 to 599"));
        if (respond.Status is 204 or 205 or 304 && respond.Body.Length != 0)
            errors.Add(new ConfigError(path + ".respond.body", ConfigErrorCodes.Conflict, $"a {respond.Status} response has no body; leave the body out or use another status"));
        if (respond.ContentType.AsSpan().ContainsAnyExceptInRange(' ', '~'))
            errors.Add(new ConfigError(path + ".respond.contentType", ConfigErrorCodes.InvalidValue, "it has characters that a header field cannot carry; use printable ASCII"));
        return errors.Count == before ? new RespondFilter(respond) : null;
    }
}
