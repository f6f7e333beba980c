using System.Collections.Concurrent;
using System.Diagnostics;

namespace Gateway.TestKit;

/// <summary>A request of a <see cref="SteadyLoad"/> that has ended.</summary>
/// <param name="Status">0: the connection ended without a whole response.</param>
/// <param name="At">When it was sent, from the load's start.</param>
/// <param name="Origin">The response's <c>x-origin</c>; null without one.</param>
public sealed record LoadSample(int Status, TimeSpan At, TimeSpan Took, string? Origin);

/// <summary>Clients that each send one request after another over a kept-alive connection until they are stopped, and note what came of each.</summary>
public sealed class SteadyLoad : IAsyncDisposable
{
    private readonly CancellationTokenSource _stop = new();
    private readonly ConcurrentQueue<LoadSample> _samples = new();
    private readonly long _start = Stopwatch.GetTimestamp();
    private readonly Task[] _clients;

    private SteadyLoad(Uri address, string request, int clients, TimeSpan pause)
    {
        _clients = [.. Enumerable.Range(0, clients).Select(_ => Task.Run(() => RunAsync(address, request, pause)))];
    }

    /// <param name="address">The gateway's listener.</param>
    /// <param name="request">A whole HTTP/1.1 request without a body.</param>
    /// <param name="clients">How many at a time.</param>
    /// <param name="pause">Between a client's requests.</param>
    public static SteadyLoad Start(Uri address, string request, int clients, TimeSpan pause = default) => new(address, request, clients, pause);

    /// <summary>Since the load's start.</summary>
    public TimeSpan Now => Stopwatch.GetElapsedTime(_start);

    /// <summary>What has ended so far.</summary>
    public IReadOnlyList<LoadSample> Samples => [.. _samples];

    /// <summary>Those of the samples that were sent at or after that time.</summary>
    public IReadOnlyList<LoadSample> Since(TimeSpan time) => [.. _samples.Where(s => s.At >= time)];

    /// <summary>The time that this share of the samples does not exceed.</summary>
    public static TimeSpan Percentile(IReadOnlyCollection<LoadSample> samples, double percent)
    {
        TimeSpan[] times = [.. samples.Select(static s => s.Took).Order()];
        return times.Length == 0 ? TimeSpan.Zero : times[Math.Min(times.Length - 1, (int)(times.Length * percent / 100))];
    }

    /// <summary>Returns when that many more requests have ended.</summary>
    public Task MoreAsync(int requests)
    {
        int before = _samples.Count;
        return Eventually.Until($"{requests} more requests have ended", () => _samples.Count >= before + requests);
    }

    /// <summary>Returns at that time from the load's start.</summary>
    public Task UntilAsync(TimeSpan time) => Eventually.Until($"{time.TotalSeconds:0.#} s of load", () => Now >= time, time + Eventually.DefaultDeadline);

    public async ValueTask DisposeAsync()
    {
        await _stop.CancelAsync();
        await Task.WhenAll(_clients);
        _stop.Dispose();
    }

    private async Task RunAsync(Uri address, string request, TimeSpan pause)
    {
        RawHttpClient? client = null;
        try
        {
            while (!_stop.IsCancellationRequested)
            {
                long sent = Stopwatch.GetTimestamp();
                int status = 0;
                string? origin = null;
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
                _samples.Enqueue(new LoadSample(status, Stopwatch.GetElapsedTime(_start, sent), Stopwatch.GetElapsedTime(sent), origin));
                if (status == 0 && client is not null)
                {
                    await client.DisposeAsync();
                    client = null;
                }
                if (pause > TimeSpan.Zero) await Task.Delay(pause, _stop.Token);
            }
        }
        catch (OperationCanceledException)
        {
            // Stopped in a pause.
        }
        finally
        {
            if (client is not null) await client.DisposeAsync();
        }
    }
}
