using System.Net;
using Gateway.TestKit;

namespace Gateway.Functional.Tests.Fleet;

/// <summary>Requests to one replica, one after another, until disposed.</summary>
internal sealed class Visitors : IAsyncDisposable
{
    private readonly CancellationTokenSource _stop = new();
    private readonly Task _loop;
    private int _failed;

    public Visitors(GatewayProcess gateway, string path) => _loop = Task.Run(async () =>
    {
        using var client = new HttpClient(H2Client.Handler()) { BaseAddress = gateway.Listener() };
        while (!_stop.IsCancellationRequested)
        {
            using HttpResponseMessage response = await client.GetAsync(new Uri(path, UriKind.Relative));
            if (response.StatusCode != HttpStatusCode.OK) Interlocked.Increment(ref _failed);
            await Task.Delay(2);
        }
    });

    public int Failed => Volatile.Read(ref _failed);

    public async ValueTask DisposeAsync()
    {
        await _stop.CancelAsync();
        await _loop;
        _stop.Dispose();
    }
}
