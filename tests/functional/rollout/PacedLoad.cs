using System.Collections.Concurrent;
using System.Diagnostics;
using Gateway.Functional.Tests.Harness;
using Gateway.TestKit;

namespace Gateway.Functional.Tests.Rollout;

/// <summary>
/// Requests at a rate that does not depend on how fast they are answered, as far as the clients suffice: each sends at its own times, and what
/// it is late with at once. A client sends one request after another over a kept-alive connection.
/// </summary>
internal sealed class PacedLoad : IAsyncDisposable
{
    private const int PerClient = 50;

    private readonly CancellationTokenSource _stop = new();
    private readonly ConcurrentDictionary<(int Status, string? Origin), long> _counts = new();
    private readonly long _start = Stopwatch.GetTimestamp();
    private readonly Task[] _clients;
    private long _total;

    private PacedLoad(Uri address, int rate)
    {
        int clients = Math.Max(1, rate / PerClient);
        TimeSpan each = TimeSpan.FromSeconds((double)clients / rate);
        _clients = [.. Enumerable.Range(0, clients).Select(i => Task.Run(() => RunAsync(address, each, i * each / clients)))];
    }

    public static PacedLoad Start(Uri address, int rate) => new(address, rate);

    /// <summary>Requests that have ended.</summary>
    public long Total => Volatile.Read(ref _total);

    public double Rate => Total / Stopwatch.GetElapsedTime(_start).TotalSeconds;

    /// <summary>How many ended with such a status (0: without a whole response) and from such an origin.</summary>
    public long Count(Func<int, string?, bool> which) => _counts.Where(c => which(c.Key.Status, c.Key.Origin)).Sum(static c => c.Value);

    public Task MoreAsync(long requests)
    {
        long until = Total + requests;
        return Eventually.Until($"{requests} more requests have ended", () => Total >= until, TimeSpan.FromMinutes(2));
    }

    public async ValueTask DisposeAsync()
    {
        if (_stop.IsCancellationRequested) return;
        await _stop.CancelAsync();
        await Task.WhenAll(_clients);
    }

    private async Task RunAsync(Uri address, TimeSpan each, TimeSpan first)
    {
        string request = Doc.Get("/", "shop.test");
        RawHttpClient? client = null;
        try
        {
            for (TimeSpan next = first; ; next += each)
            {
                TimeSpan wait = next - Stopwatch.GetElapsedTime(_start);
                if (wait > TimeSpan.Zero) await Task.Delay(wait, _stop.Token);
                else _stop.Token.ThrowIfCancellationRequested();
                (int status, string? origin) = (0, null);
                try
                {
                    client ??= await RawHttpClient.ConnectAsync(address);
                    RawResponse response = await client.RequestAsync(request);
                    if (response.IsWhole) (status, origin) = (response.Status, response["x-origin"]);
                }
                catch (Exception e) when (e is IOException or TimeoutException or System.Net.Sockets.SocketException or InvalidDataException)
                {
                    // Counts as status 0.
                }
                _ = _counts.AddOrUpdate((status, origin), 1, static (_, n) => n + 1);
                _ = Interlocked.Increment(ref _total);
                if (status != 0 || client is null) continue;
                await client.DisposeAsync();
                client = null;
            }
        }
        catch (OperationCanceledException)
        {
            // Stopped.
        }
        finally
        {
            if (client is not null) await client.DisposeAsync();
        }
    }
}
