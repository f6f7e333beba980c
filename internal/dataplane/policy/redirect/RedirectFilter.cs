using System.Globalization;
using Gateway.Config;
using Gateway.Core.Router;
using Gateway.DataPlane.Runtime;

namespace Gateway.DataPlane.Policy.Redirect;

internal sealed class RedirectFilter(RedirectConfig config) : IRequestFilter
{
    private readonly int _status = config.Status;
    private readonly string? _scheme = config.Scheme;
    private readonly string? _host = config.Host is { } h && h.Contains(':') && !h.StartsWith('[') ? $"[{h}]" : config.Host;
    private readonly string? _port = config.Port is not { } p || (p == 80 && config.Scheme == "http") || (p == 443 && config.Scheme == "https")
        ? null
        : ":" + p.ToString(CultureInfo.InvariantCulture);
    private readonly bool _keepPort = config.Port is null && config.Scheme is null;
    private readonly string? _path = config.Path;

    public async ValueTask<bool> OnRequestAsync(RequestContext context)
    {
        IDownstream client = context.Downstream;
        client.StatusCode = _status;
        client.ResponseHeaders.Location = Location(client.Scheme, context.Host, context.RawPathAndQuery, context.RawPathLength);
        client.ResponseHeaders.ContentLength = 0;
        await client.StartResponseAsync();
        return true;
    }

    public FilterEffect Explain(in DescribedRequest request)
    {
        string location = Location(request.Scheme, request.HostText, request.Target, request.PathText.Length);
        return new FilterEffect("redirect", $"answers {_status} with Location: {location}") { Status = _status, Headers = [new("Location", location)] };
    }

    private string Location(string scheme, string requested, string target, int pathLength)
    {
        int colon = requested.LastIndexOf(':');
        if (colon >= 0 && requested.IndexOf(']', colon) >= 0) colon = -1;
        string host = _host ?? (colon < 0 ? requested : requested[..colon]);
        string? port = _port ?? (_keepPort && colon >= 0 ? requested[colon..] : null);
        if (_path is not null) target = string.Concat(_path, target.AsSpan(pathLength));
        return $"{_scheme ?? scheme}://{host}{port}{target}";
    }
}
