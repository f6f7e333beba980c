using System.Net;
using Gateway.DataPlane.Runtime;
using Microsoft.Extensions.Logging;

namespace Gateway.DataPlane.Discovery;

/// <summary>What is resolved, and how often. Compared by value: pools with equal settings share a discovery.</summary>
/// <param name="Name">Of hosts, or of a service (<c>_http._tcp.shop.example</c>).</param>
/// <param name="Port">Null for a service, whose records name it.</param>
/// <param name="Interval">Between resolutions; null for as long as the answer holds.</param>
/// <param name="Resolver">The server to ask; null for the system's.</param>
internal sealed record DnsSettings(string Name, int? Port, TimeSpan? Interval, IPEndPoint? Resolver);

/// <summary>Resolves a name again and again, as long as a snapshot refers to it. An answer that is empty or fails changes nothing: the last one holds.</summary>
internal sealed partial class DnsDiscovery(DnsSettings settings, DiscoveryServices services) : EndpointDiscovery(settings)
{
    // Envoy's dns_refresh_rate has a millisecond as its least; a second is what a TTL can say.
    private static readonly TimeSpan LeastWait = TimeSpan.FromSeconds(1), MostWait = TimeSpan.FromHours(1);
    private static readonly TimeSpan FirstRetry = TimeSpan.FromMilliseconds(500), LastRetry = TimeSpan.FromSeconds(30);

    private readonly DnsResolver _resolver = new(settings);
    private readonly CancellationTokenSource _stop = new();

    internal override void Start() => _ = Task.Run(RunAsync);

    internal override void Retire() => _stop.Cancel();

    private async Task RunAsync()
    {
        int failures = 0;
        string skipped = "";
        try
        {
            while (true)
            {
                Resolution found = await ResolveAsync();
                bool ok = found.Endpoints.Count > 0;
                services.Resolutions.Add(1, ok ? "ok" : "failed");
                if (ok)
                {
                    if (failures > 0) LogRecovered(services.Log, settings.Name);
                    failures = 0;
                    if (found.Skipped.Length > 0 && found.Skipped != skipped) LogSkipped(services.Log, settings.Name, found.Skipped);
                    skipped = found.Skipped;
                    if (Take(found.Endpoints)) LogChanged(services.Log, settings.Name, string.Join(", ", Found.Select(static e => e.Address)));
                }
                else if (failures++ == 0)
                {
                    LogFailed(services.Log, settings.Name, found.Failure, Found.Count);
                }
                EndFirst();
                await Task.Delay(Jittered(ok ? settings.Interval ?? Clamped(found.Ttl) : RetryAfter(failures)), services.Time, _stop.Token);
            }
        }
        catch (OperationCanceledException)
        {
            // Nobody refers to it any more.
        }
        finally
        {
            EndFirst();
        }
    }

    private async Task<Resolution> ResolveAsync()
    {
        try
        {
            return await _resolver.ResolveAsync(_stop.Token);
        }
        catch (Exception e) when (e is not OperationCanceledException)
        {
            // A loop that ended here would keep the last answer for ever and say nothing.
            return new Resolution([], TimeSpan.Zero, e.Message);
        }
    }

    internal static TimeSpan Clamped(TimeSpan ttl) => ttl < LeastWait ? LeastWait : ttl > MostWait ? MostWait : ttl;

    internal static TimeSpan RetryAfter(int failures)
    {
        TimeSpan wait = FirstRetry * Math.Pow(2, Math.Min(failures - 1, 10));
        return wait < LastRetry ? wait : LastRetry;
    }

    // Up to a tenth later: many gateways that were started together do not ask together for ever.
    private TimeSpan Jittered(TimeSpan wait) => wait * (1 + (services.Random.Below(1000) / 10_000.0));

    [LoggerMessage(400, LogLevel.Information, "{Name} is now {Endpoints}")]
    private static partial void LogChanged(ILogger logger, string name, string endpoints);

    [LoggerMessage(401, LogLevel.Warning, "{Name} cannot be resolved: {Reason}; its last {Endpoints} endpoints stay, and it is tried again")]
    private static partial void LogFailed(ILogger logger, string name, string reason, int endpoints);

    [LoggerMessage(403, LogLevel.Warning, "{Name} has targets without an address, which are left out: {Targets}")]
    private static partial void LogSkipped(ILogger logger, string name, string targets);

    [LoggerMessage(402, LogLevel.Information, "{Name} can be resolved again")]
    private static partial void LogRecovered(ILogger logger, string name);
}
