using System.Net;
using System.Net.Sockets;
using Gateway.Core.Dns;
using Gateway.DataPlane.Runtime;

namespace Gateway.DataPlane.Discovery;

/// <summary>What a resolution has found.</summary>
/// <param name="Endpoints">Empty when it failed, or there is nothing.</param>
/// <param name="Ttl">How long the answer holds.</param>
/// <param name="Failure">Why there is nothing, for a person; empty when there is something.</param>
/// <param name="IsRefusal">No server said that there is nothing: none answered, or all failed.</param>
/// <param name="Skipped">Of a service: which of its targets have no address, and why, for a person; empty when all have.</param>
internal sealed record Resolution(IReadOnlyList<DiscoveredEndpoint> Endpoints, TimeSpan Ttl, string Failure, bool IsRefusal = false, string Skipped = "");

/// <summary>
/// From a name to endpoints: 1. a name that the system knows by itself (localhost, the hosts file) is the system's to resolve; 2. else each
/// form of the name that the search domains make is asked of the servers in turn; 3. for a service, the addresses of its targets.
/// </summary>
internal sealed class DnsResolver(DnsSettings settings)
{
    // As resolv.conf(5): five seconds and two attempts. Halved, since an answer that is late is kept up with by the last one.
    private static readonly TimeSpan Timeout = TimeSpan.FromSeconds(2.5);
    private const int Attempts = 2;

    /// <summary>What the system resolves comes without a time to live.</summary>
    private static readonly TimeSpan SystemTtl = TimeSpan.FromSeconds(30);

    // More targets than any one service needs, fewer than a hostile answer could keep us busy with.
    private const int MaxServices = 256;

    // As soon as this another look is taken at a target that no server answered for.
    private static readonly TimeSpan RefusedTtl = TimeSpan.FromSeconds(5);

    private readonly DnsClient _client = new(Timeout);

    // The addresses of a service's targets as they were found last. For one task at a time.
    private Dictionary<string, IReadOnlyList<IPAddress>> _targets = [];

    public async Task<Resolution> ResolveAsync(CancellationToken stop)
    {
        if (settings.Resolver is null && (!File.Exists("/etc/resolv.conf") || IsLocal(settings.Name))) return await BySystemAsync(stop);
        // Read each time: it changes when a machine changes networks, and it is small.
        ResolverSettings resolver = settings.Resolver is { } one
            ? new ResolverSettings([one], [], 0)
            : ResolverSettings.Parse(await File.ReadAllTextAsync("/etc/resolv.conf", stop));
        string failure = "no name server is configured";
        foreach (string name in resolver.CandidatesOf(settings.Name))
        {
            Resolution found = settings.Port is { } port ? await AddressesAsync(resolver, name, port, 1, 0, stop) : await ServicesAsync(resolver, name, stop);
            if (found.Endpoints.Count > 0) return found;
            failure = found.Failure;
        }
        return new Resolution([], TimeSpan.Zero, failure);
    }

    private async Task<Resolution> AddressesAsync(ResolverSettings resolver, string name, int port, int weight, int priority, CancellationToken stop)
    {
        Task<(DnsStatus, DnsAnswer, string)> six = AskAsync(resolver, name, DnsType.Aaaa, stop);
        (DnsStatus Status, DnsAnswer Answer, string Failure) four = await AskAsync(resolver, name, DnsType.A, stop), sixth = await six;
        // Half an answer is none: what it leaves out would be taken for gone.
        if (four.Status == DnsStatus.Refused || sixth.Status == DnsStatus.Refused)
            return new Resolution([], TimeSpan.Zero, four.Status == DnsStatus.Refused ? four.Failure : sixth.Failure, IsRefusal: true);
        IPAddress[] addresses = [.. four.Answer.Addresses, .. sixth.Answer.Addresses];
        TimeSpan ttl = four.Answer.Addresses.Count == 0 ? sixth.Answer.Ttl
            : sixth.Answer.Addresses.Count == 0 || four.Answer.Ttl < sixth.Answer.Ttl ? four.Answer.Ttl
            : sixth.Answer.Ttl;
        string failure = addresses.Length > 0 ? "" : four.Failure.Length > 0 ? four.Failure : $"{name} has no address";
        return new Resolution([.. addresses.Select(a => Endpoint(a, port, weight, priority))], ttl, failure);
    }

    private async Task<Resolution> ServicesAsync(ResolverSettings resolver, string name, CancellationToken stop)
    {
        (DnsStatus status, DnsAnswer answer, string failure) = await AskAsync(resolver, name, DnsType.Srv, stop);
        if (status != DnsStatus.Answer) return new Resolution([], TimeSpan.Zero, failure);
        List<DiscoveredEndpoint> endpoints = [];
        List<string> skipped = [];
        Dictionary<string, IReadOnlyList<IPAddress>> targets = [];
        TimeSpan ttl = answer.Ttl;
        // Priorities are any numbers; what counts is their order.
        int[] priorities = [.. answer.Services.Select(static s => s.Priority).Distinct().Order()];
        foreach (DnsService service in answer.Services.Take(MaxServices))
        {
            if (service.Target.Length == 0 || service.Port == 0) continue;
            // A weight of 0 means hardly any (RFC 2782), not none.
            int weight = Math.Max(1, service.Weight), priority = Math.Min(127, Array.IndexOf(priorities, service.Priority));
            IPAddress[] hinted = [.. answer.Hints.Where(h => h.Name == service.Target).Select(static h => h.Address)];
            if (hinted.Length > 0)
            {
                endpoints.AddRange(hinted.Select(a => Endpoint(a, service.Port, weight, priority)));
                continue;
            }
            // One target whose name is gone must not cost the others: a service's records often outlive a host's.
            Resolution target = await AddressesAsync(resolver, service.Target, service.Port, weight, priority, stop);
            IReadOnlyList<IPAddress> addresses = [.. target.Endpoints.Select(static e => IPEndPoint.Parse(e.Address).Address)];
            if (target.IsRefusal)
            {
                // Nobody said that it is gone: what it was last holds, as it does for the whole.
                addresses = _targets.GetValueOrDefault(service.Target) ?? [];
                if (RefusedTtl < ttl) ttl = RefusedTtl;
            }
            else if (target.Endpoints.Count > 0 && target.Ttl < ttl) ttl = target.Ttl;
            if (addresses.Count == 0) skipped.Add($"{service.Target}: {target.Failure}");
            else targets[service.Target] = addresses;
            endpoints.AddRange(addresses.Select(a => Endpoint(a, service.Port, weight, priority)));
        }
        string without = string.Join("; ", skipped);
        if (endpoints.Count == 0) return new Resolution([], TimeSpan.Zero, without.Length > 0 ? without : $"{name} offers no service");
        _targets = targets;
        return new Resolution(endpoints, ttl, "", Skipped: without);
    }

    private async Task<(DnsStatus, DnsAnswer, string)> AskAsync(ResolverSettings resolver, string name, DnsType type, CancellationToken stop)
    {
        (DnsStatus, DnsAnswer, string Failure) last = (DnsStatus.Refused, DnsAnswer.Empty, "no name server is configured");
        for (int attempt = 0; attempt < Attempts; attempt++)
        {
            foreach (IPEndPoint server in resolver.Servers)
            {
                (DnsStatus status, DnsAnswer answer, string failure) = await _client.AskAsync(server, name, type, stop);
                if (status is DnsStatus.Answer or DnsStatus.NoSuchName) return (status, answer, failure);
                last = (DnsStatus.Refused, DnsAnswer.Empty, failure);
            }
        }
        return last;
    }

    private async Task<Resolution> BySystemAsync(CancellationToken stop)
    {
        if (settings.Port is not { } port) return new Resolution([], TimeSpan.Zero, "services need a name server: there is no /etc/resolv.conf, and discovery.resolver is not set");
        try
        {
            IPAddress[] addresses = await System.Net.Dns.GetHostAddressesAsync(settings.Name, stop);
            return new Resolution([.. addresses.Select(a => Endpoint(a, port, 1, 0))], SystemTtl, addresses.Length > 0 ? "" : $"{settings.Name} has no address");
        }
        catch (SocketException e)
        {
            return new Resolution([], TimeSpan.Zero, e.Message);
        }
    }

    private static DiscoveredEndpoint Endpoint(IPAddress address, int port, int weight, int priority) => new(new IPEndPoint(address, port).ToString(), weight, priority);

    private static bool IsLocal(string name)
    {
        if (name.Equals("localhost", StringComparison.OrdinalIgnoreCase) || name.EndsWith(".localhost", StringComparison.OrdinalIgnoreCase)) return true;
        try
        {
            foreach (string line in File.ReadLines("/etc/hosts"))
            {
                string[] words = line.Split('#')[0].Split([' ', '\t'], StringSplitOptions.RemoveEmptyEntries);
                if (words.Skip(1).Contains(name, StringComparer.OrdinalIgnoreCase)) return true;
            }
        }
        catch (IOException)
        {
            // No hosts file: then it knows no names.
        }
        return false;
    }
}
