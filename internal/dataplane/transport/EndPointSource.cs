using System.Net;
using System.Net.Sockets;

namespace Gateway.DataPlane.Transport;

/// <summary>
/// Where an endpoint's address leads: at once for an IP address or a Unix socket, by name resolution otherwise, whose last answer is kept
/// for a few seconds and, when a later one fails, beyond. Thread safe.
/// </summary>
internal sealed class EndPointSource
{
    // Resolvers give no time to live; short enough to follow a change, long enough that a burst of connects asks once.
    private const long KeepMilliseconds = 5000;

    private readonly EndPoint? _fixed;
    private readonly string _host = "";
    private readonly int _port;
    private readonly Func<string, Task<IPAddress[]>> _resolve;
    private readonly Lock _gate = new();
    private volatile Answer? _last;

    // Under the gate: the question that all who connect now wait for.
    private Task<EndPoint[]>? _asking;

    private sealed record Answer(EndPoint[] EndPoints, long ResolvedAt);

    /// <param name="address">Valid, as in a document: <c>host:port</c>, <c>[v6]:port</c> or <c>unix:PATH</c>.</param>
    /// <param name="resolve">The system's resolver, or another one.</param>
    public EndPointSource(string address, Func<string, Task<IPAddress[]>>? resolve = null)
    {
        _resolve = resolve ?? Dns.GetHostAddressesAsync;
        if (address.StartsWith("unix:", StringComparison.Ordinal))
        {
            _fixed = new UnixDomainSocketEndPoint(address[5..]);
            Authority = "localhost";
            return;
        }
        Authority = address;
        int colon = address.LastIndexOf(':');
        _port = int.Parse(address.AsSpan(colon + 1), provider: System.Globalization.CultureInfo.InvariantCulture);
        _host = address[..colon].Trim('[', ']');
        if (IPAddress.TryParse(_host, out IPAddress? ip)) _fixed = new IPEndPoint(ip, _port);
    }

    /// <summary>What a Host field names when the client named nothing.</summary>
    public string Authority { get; }

    /// <summary>The end point, when no resolution is needed.</summary>
    public EndPoint? Fixed => _fixed;

    /// <summary>All addresses of the name, in the resolver's order.</summary>
    /// <param name="cancellationToken">Ends the wait; the question goes on for the others.</param>
    /// <exception cref="SocketException">The name cannot be resolved and never was.</exception>
    public ValueTask<EndPoint[]> ResolveAsync(CancellationToken cancellationToken)
    {
        if (_last is { } fresh && Environment.TickCount64 - fresh.ResolvedAt < KeepMilliseconds) return new(fresh.EndPoints);
        Task<EndPoint[]> asking;
        lock (_gate)
        {
            if (_asking is null or { IsCompleted: true }) _asking = AskAsync();
            asking = _asking;
        }
        return new(asking.WaitAsync(cancellationToken));
    }

    private async Task<EndPoint[]> AskAsync()
    {
        try
        {
            IPAddress[] addresses = await _resolve(_host);
            EndPoint[] endPoints = Array.ConvertAll<IPAddress, EndPoint>(addresses, a => new IPEndPoint(a, _port));
            if (endPoints.Length > 0) _last = new Answer(endPoints, Environment.TickCount64);
            return endPoints;
        }
        catch (SocketException) when (_last is not null)
        {
            return _last.EndPoints;
        }
    }
}
