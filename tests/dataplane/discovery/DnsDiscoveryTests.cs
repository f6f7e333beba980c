using System.Net;
using Gateway.DataPlane.Discovery;
using Gateway.DataPlane.Obs;
using Gateway.DataPlane.Runtime;
using Gateway.DataPlane.Tests.Health;
using Gateway.TestKit;
using Microsoft.Extensions.Logging.Abstractions;
using Xunit;

namespace Gateway.DataPlane.Tests.Discovery;

/// <summary>How often a name is resolved and what is taken of the answers, at each limit and one beyond; in virtual time, of a real name server.</summary>
public sealed class DnsDiscoveryTests : IAsyncLifetime
{
    private readonly VirtualTime _time = new();
    private readonly DnsServer _dns = DnsServer.Start();
    private DnsDiscovery? _discovery;

    public ValueTask InitializeAsync() => ValueTask.CompletedTask;

    public async ValueTask DisposeAsync()
    {
        _discovery?.Retire();
        await _dns.DisposeAsync();
    }

    private static TimeSpan Seconds(double seconds) => TimeSpan.FromSeconds(seconds);

    private DnsDiscovery Start(string name, int? port, TimeSpan? interval = null)
    {
        _discovery = new DnsDiscovery(new DnsSettings(name, port, interval, IPEndPoint.Parse(_dns.Address)), new DiscoveryServices(new GatewayMetrics(), _time, NullLogger.Instance));
        _discovery.Start();
        return _discovery;
    }

    /// <summary>Waits until it waits, goes on to the end of that, and says how long it was.</summary>
    private async Task<TimeSpan> NextWaitAsync()
    {
        await Eventually.Until("it waits for its next resolution", () => _time.Waiting == 1);
        long from = _time.GetTimestamp();
        _time.AdvanceToNext();
        return _time.GetElapsedTime(from);
    }

    // Up to a tenth is added, so that gateways that were started together do not ask together.
    private static void IsAbout(double seconds, TimeSpan wait) => Assert.InRange(wait, Seconds(seconds), Seconds(seconds * 1.1));

    [Theory]
    [InlineData(0, 1)]
    [InlineData(1, 1)]
    [InlineData(2, 2)]
    [InlineData(3599, 3599)]
    [InlineData(3600, 3600)]
    [InlineData(3601, 3600)]
    public void ATimeToLive_CountsFromASecondToAnHour(int ttl, int wait) => Assert.Equal(Seconds(wait), DnsDiscovery.Clamped(Seconds(ttl)));

    [Theory]
    [InlineData(1, 0.5)]
    [InlineData(2, 1)]
    [InlineData(6, 16)]
    [InlineData(7, 30)]
    [InlineData(8, 30)]
    [InlineData(int.MaxValue, 30)]
    public void AFailure_IsTriedAgainAfterHalfASecond_AndTwiceAsLongEachTime_ToHalfAMinute(int failures, double wait) => Assert.Equal(Seconds(wait), DnsDiscovery.RetryAfter(failures));

    [Theory]
    [InlineData(0, 1)]
    [InlineData(300, 300)]
    [InlineData(1_000_000, 3600)]
    public async Task ItIsResolvedAgain_WhenTheAnswerHoldsNoMore(int ttl, double wait)
    {
        _dns.SetAddresses("shop.test", ttl, "192.0.2.1");
        DnsDiscovery discovery = Start("shop.test", 80);
        IsAbout(wait, await NextWaitAsync());
        Assert.Equal([new DiscoveredEndpoint("192.0.2.1:80", 1, 0)], discovery.Found);
        _dns.SetAddresses("shop.test", ttl, "192.0.2.2");
        // The second answer was on its way already when it changed, or not.
        IsAbout(wait, await NextWaitAsync());
        IsAbout(wait, await NextWaitAsync());
        Assert.Equal([new DiscoveredEndpoint("192.0.2.2:80", 1, 0)], discovery.Found);
    }

    [Fact]
    public async Task TheShorterOfTwoTimesToLive_Counts_AndAnIntervalGoesBeforeBoth()
    {
        _dns.SetServices("_http._tcp.shop.test", 500, (0, 1, 8080, "host.test"));
        _dns.SetAddresses("host.test", 20, "192.0.2.1");
        Start("_http._tcp.shop.test", null);
        IsAbout(20, await NextWaitAsync());
        _discovery!.Retire();
        await Eventually.Until("it is over", () => _time.Waiting == 0);
        Start("_http._tcp.shop.test", null, Seconds(7));
        IsAbout(7, await NextWaitAsync());
    }

    [Fact]
    public async Task WhileItFails_TheLastAnswerStays_AndTheWaitsGrow_AndBeginAnewAfterASuccess()
    {
        _dns.SetAddresses("shop.test", 60, "192.0.2.1");
        DnsDiscovery discovery = Start("shop.test", 80);
        await Eventually.Until("it waits", () => _time.Waiting == 1);
        _dns.Trouble = 2;
        IsAbout(60, await NextWaitAsync());
        foreach (double wait in (double[])[0.5, 1, 2, 4, 8, 16, 30, 30]) IsAbout(wait, await NextWaitAsync());
        Assert.Equal([new DiscoveredEndpoint("192.0.2.1:80", 1, 0)], discovery.Found);
        await Eventually.Until("it waits", () => _time.Waiting == 1);
        _dns.Trouble = 0;
        _time.AdvanceToNext();
        await Eventually.Until("it waits", () => _time.Waiting == 1);
        _dns.Trouble = 2;
        IsAbout(60, await NextWaitAsync());
        IsAbout(0.5, await NextWaitAsync());
    }

    [Theory]
    [InlineData(256, 256)]
    [InlineData(257, 256)]
    public async Task Services_Are256AtMost(int offered, int taken)
    {
        // More than a datagram has.
        _dns.Truncate = true;
        _dns.SetServices("_http._tcp.shop.test", 60, [.. Enumerable.Range(1, offered).Select(static i => (0, 1, i, "host.test"))]);
        _dns.SetAddresses("host.test", 60, "192.0.2.1");
        DnsDiscovery discovery = Start("_http._tcp.shop.test", null);
        await Eventually.Within("it has looked once", discovery.First);
        Assert.Equal(taken, discovery.Found.Count);
    }

    [Fact]
    public async Task PrioritiesAndWeights_AreWhatADocumentMayHave()
    {
        _dns.Truncate = true;
        // The 128th priority is the last that there is; those beyond it share it. A weight of 0 is hardly any, not none.
        _dns.SetServices("_http._tcp.shop.test", 60, [.. Enumerable.Range(1, 130).Select(static i => (i * 100, i == 1 ? 0 : 65535, i, "host.test"))]);
        _dns.SetAddresses("host.test", 60, "192.0.2.1");
        DnsDiscovery discovery = Start("_http._tcp.shop.test", null);
        await Eventually.Within("it has looked once", discovery.First);
        Dictionary<string, DiscoveredEndpoint> found = discovery.Found.ToDictionary(static e => e.Address);
        Assert.Equal((1, 0), (found["192.0.2.1:1"].Weight, found["192.0.2.1:1"].Priority));
        Assert.Equal((65535, 126, 127, 127), (found["192.0.2.1:127"].Weight, found["192.0.2.1:127"].Priority, found["192.0.2.1:128"].Priority, found["192.0.2.1:129"].Priority));
    }

    [Fact]
    public async Task ATargetThatOffersNothing_IsPassedOver()
    {
        // A single root is "the service is decidedly not available" (RFC 2782).
        _dns.SetServices("_http._tcp.shop.test", 60, (0, 1, 80, ""));
        DnsDiscovery discovery = Start("_http._tcp.shop.test", null);
        await Eventually.Within("it has looked once", discovery.First);
        Assert.Empty(discovery.Found);
    }
}
