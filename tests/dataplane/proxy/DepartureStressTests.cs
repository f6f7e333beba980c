using System.Net;
using Gateway.Config;
using Gateway.Core.Limits;
using Gateway.TestKit;
using Xunit;

namespace Gateway.DataPlane.Tests.Proxy;

/// <summary>Clients that leave, upstreams that die and timeouts that fire at any moment, many at once: nothing stays counted, held or unexplained.</summary>
public sealed class DepartureStressTests
{
    [Theory]
    [InlineData(false, false, 0)]
    [InlineData(false, true, 0)]
    [InlineData(true, false, 0)]
    [InlineData(true, true, 0)]
    [InlineData(false, false, 6)]
    [InlineData(true, true, 6)]
    public async Task WhateverEndsARequest_EverythingIsGivenBackOnce(bool http2Client, bool http2Upstream, int maxRequests)
    {
        await using HttpOrigin origin = http2Upstream ? await HttpOrigin.StartH2cAsync() : await HttpOrigin.StartAsync();
        origin.Record = false;
        await using ProxyHost proxy = await ProxyHost.StartAsync(origin.Address, new ProxyOptions
        {
            Protocol = http2Upstream ? UpstreamProtocol.H2c : UpstreamProtocol.Http1,
            Request = TimeSpan.FromMilliseconds(400),
            Attempt = TimeSpan.FromMilliseconds(60),
            Idle = TimeSpan.FromMilliseconds(80),
            BodyBytes = 400_000,
            MaxRequests = maxRequests,
            Queue = new QueueSettings(6, TimeSpan.FromMilliseconds(40)),
        });
        using HttpClient client = http2Client ? H2Client.Http2(proxy.Http2Address) : H2Client.Http1(proxy.Address);
        int sent = 0;
        await Parallel.ForEachAsync(Enumerable.Range(0, 600), new ParallelOptions { MaxDegreeOfParallelism = 24 }, async (i, _) =>
        {
            var random = new Random(i);
            using var leave = new CancellationTokenSource(random.Next(3) == 0 ? random.Next(30) : 5000);
            try
            {
                using var request = new HttpRequestMessage(HttpMethod.Get, (random.Next(7)) switch
                {
                    0 => "/hold?gate=never",
                    1 => "/half?gate=never",
                    2 => "/abort?after=1000",
                    3 => "/abort",
                    4 => "/bytes/300000?chunked=1",
                    5 => "/early?status=413",
                    _ => "/sink",
                })
                { Version = client.DefaultRequestVersion, VersionPolicy = HttpVersionPolicy.RequestVersionExact };
                if (random.Next(2) == 0)
                {
                    request.Method = HttpMethod.Post;
                    request.Content = new ByteArrayContent(new byte[random.Next(500_000)]);
                    if (random.Next(2) == 0) request.Headers.TransferEncodingChunked = true;
                }
                Interlocked.Increment(ref sent);
                using HttpResponseMessage response = await client.SendAsync(request, HttpCompletionOption.ResponseHeadersRead, leave.Token);
                if (random.Next(4) != 0) await response.Content.CopyToAsync(Stream.Null, leave.Token);
            }
            catch (Exception e) when (e is HttpRequestException or IOException or OperationCanceledException)
            {
            }
        });
        await Eventually.Until("nothing is in flight", () => proxy.InFlight == 0 && proxy.UpstreamInFlight == 0);
        await Eventually.Until("the snapshot is free", () => proxy.Snapshots.Current!.Leases.Held == 0);
        // Most of those who leave soon leave before the gateway has heard of them, the more the busier the machine is; two thirds stay.
        Assert.InRange(proxy.RouteTotal(), 100, sent);
        Assert.True(proxy.Log.Errors.Count == 0, string.Join("\n", proxy.Log.Errors));
        Assert.DoesNotContain("category=\"internal\"", proxy.Scrape(), StringComparison.Ordinal);
        await Eventually.Until("requests are served as before", async () =>
        {
            try
            {
                return (await client.GetAsync("/bytes/10")).StatusCode == HttpStatusCode.OK;
            }
            catch (HttpRequestException)
            {
                // A connection of before that was cut off, or its times are too short for a busy machine.
                return false;
            }
        });
    }
}
