using System.Collections.Concurrent;
using System.Diagnostics;
using System.Net.WebSockets;
using Gateway.Functional.Tests.Harness;
using Gateway.TestKit;
using Xunit;

namespace Gateway.Functional.Tests.Load;

/// <summary>A thousand configurations under requests, WebSockets and downloads: nothing fails, and memory stays where it was.</summary>
[Collection("load")]
public sealed class SwapTests
{
    private const int Swaps = 1000;

    private static string Config(int i, string main, string other) => Doc.Of(
        // Every swap changes routes and, each second time, an endpoint of the pool; the listener and the main endpoint stay.
        routes: $"{Doc.Route("all", more: "\"bodyBytes\": 0, \"timeouts\": { \"request\": \"10m\" }")}, {Doc.Route($"extra-{i}", Doc.Prefix($"/extra-{i}"))}",
        pools: i % 2 == 0 ? Doc.Pool("main", main) : Doc.Pool("main", main, other),
        more: Doc.NoAccessLog);

    [Fact]
    public async Task ThousandSwapsUnderLoad_FailNothingAndKeepMemoryFlat()
    {
        await using HttpOrigin main = await HttpOrigin.StartAsync("main");
        await using HttpOrigin other = await HttpOrigin.StartAsync("other");
        main.Record = other.Record = false;
        await using GatewayProcess gateway = await GatewayProcess.StartAsync(Config(0, main.Address, other.Address));
        Uri web = gateway.Listener();
        using var stop = new CancellationTokenSource();
        var failures = new ConcurrentQueue<string>();
        int requests = 0, messages = 0, downloads = 0;

        Task Run(string what, Func<Task> once) => Task.Run(async () =>
        {
            while (!stop.IsCancellationRequested)
            {
                try { await once(); }
                catch (Exception e) { failures.Enqueue($"{what}: {e.GetType().Name} {e.Message}"); return; }
            }
        });

        var load = new List<Task>();
        for (int i = 0; i < 3; i++)
        {
            RawHttpClient client = await RawHttpClient.ConnectAsync(web);
            load.Add(Run("request", async () =>
            {
                RawResponse response = await client.RequestAsync(Doc.Post("/sink", "0123456789"));
                if (response.Status != 200 || !response.IsWhole) throw new InvalidDataException(response.ToString());
                _ = Interlocked.Increment(ref requests);
                await Task.Delay(1);
            }));
        }
        HttpClient h2 = H2Client.Http2(web);
        for (int i = 0; i < 2; i++)
        {
            load.Add(Run("HTTP/2 request", async () =>
            {
                using HttpResponseMessage response = await h2.GetAsync("/bytes/3000");
                if ((await response.Content.ReadAsByteArrayAsync()).Length != 3000) throw new InvalidDataException(response.ToString());
                _ = Interlocked.Increment(ref requests);
                await Task.Delay(1);
            }));
        }
        load.Add(Run("new connection", async () =>
        {
            RawResponse response = await RawHttpClient.OnceAsync(web, Doc.Get("/bytes/10", headers: "Connection: close\r\n"));
            if (response.Status != 200 || !response.IsWhole) throw new InvalidDataException(response.ToString());
            _ = Interlocked.Increment(ref requests);
            await Task.Delay(5);
        }));
        foreach (string version in (string[])["1.1", "2.0"])
        {
            // One tunnel from the first swap to the last.
            ClientWebSocket socket = await H2Client.OpenWebSocketAsync(new Uri(web, "/ws"), new Version(version));
            load.Add(Run($"WebSocket over {version}", async () =>
            {
                string text = $"{Interlocked.Increment(ref messages)}";
                string echoed = await socket.ExchangeAsync(text);
                if (echoed != text) throw new InvalidDataException($"{text}: {echoed}");
                await Task.Delay(2);
            }));
        }
        load.Add(Run("download", async () =>
        {
            using var get = new HttpRequestMessage(HttpMethod.Get, "/bytes/20000000");
            using HttpClient http = H2Client.Http1(web);
            using HttpResponseMessage response = await http.SendAsync(get, HttpCompletionOption.ResponseHeadersRead);
            await using Stream body = await response.Content.ReadAsStreamAsync();
            byte[] buffer = new byte[1 << 16];
            long size = 0;
            for (int n; (n = await body.ReadAsync(buffer)) > 0; size += n) await Task.Delay(1);
            if (size != 20_000_000) throw new InvalidDataException($"{size} bytes");
            _ = Interlocked.Increment(ref downloads);
        }));

        long start = Stopwatch.GetTimestamp();
        long settled = 0;
        for (int i = 1; i <= Swaps && failures.IsEmpty; i++)
        {
            AdminAnswer answer = await gateway.TryApplyAsync(Config(i, main.Address, other.Address));
            if ((int)answer.Status != 200) failures.Enqueue($"apply {i}: {answer}");
            // By then the code is compiled, the pools are filled and the heap has found its size.
            if (i == Swaps * 3 / 10) settled = gateway.Rss;
        }
        TimeSpan took = Stopwatch.GetElapsedTime(start);
        long end = gateway.Rss;
        await stop.CancelAsync();
        await Task.WhenAll(load);
        h2.Dispose();

        Assert.Empty(failures);
        Assert.True(requests > 1000 && messages > 500 && downloads > 0, $"{requests} requests, {messages} messages, {downloads} downloads");
        Assert.True(took < TimeSpan.FromSeconds(120), $"{Swaps} swaps took {took}");
        Assert.True(end < settled + (64L << 20), $"memory grew from {settled >> 20} to {end >> 20} MB");
        await Eventually.Until("no retired snapshot is left", async () => (await gateway.MetricsAsync()).Sum("gateway_retired_snapshots") == 0);
        Assert.Equal(1, (await gateway.GetAsync("/admin/history?limit=1")).Json.GetProperty("entries").GetArrayLength());
    }
}
