using Microsoft.Extensions.Logging;

namespace Gateway.DataPlane.Server;

/// <summary>
/// Servers that were replaced or removed and still have connections. First their clients are only told with their next response, so that
/// no request meets a connection that is closing; then idle connections are closed; what is busy, or upgraded, ends in its own time.
/// </summary>
internal sealed class DrainingServers(TimeProvider time, ILogger logger)
{
    /// <summary>Long enough that a client in steady use sends its next request, and is told, before its idle connection is closed.</summary>
    private static readonly TimeSpan Linger = TimeSpan.FromSeconds(5);

    /// <summary>After which nobody sends on a connection that was asked to close: what has not arrived by then is not coming.</summary>
    private static readonly TimeSpan Quiet = TimeSpan.FromSeconds(30);

    private readonly Lock _gate = new();
    private readonly Dictionary<ListenerServer, Task> _servers = [];
    private readonly CancellationTokenSource _hurry = new();

    public int Connections
    {
        get { lock (_gate) return _servers.Keys.Sum(static server => server.Connections); }
    }

    /// <summary>Lets the server drain and then stops it.</summary>
    /// <param name="onQuiet">Called once, when no new request can come on its connections any more.</param>
    public void Add(ListenerServer server, Action? onQuiet)
    {
        server.BeginDrain();
        lock (_gate) _servers[server] = DrainAsync(server, onQuiet);
    }

    /// <summary>The process stops: everything that is idle closes now.</summary>
    public void CloseIdle() => _hurry.Cancel();

    public void AbortAll()
    {
        lock (_gate)
        {
            foreach (ListenerServer server in _servers.Keys) server.AbortAll();
        }
    }

    /// <summary>Completes when every server that is here now has stopped.</summary>
    public Task WhenStopped()
    {
        lock (_gate) return Task.WhenAll(_servers.Values);
    }

    private async Task DrainAsync(ListenerServer server, Action? onQuiet)
    {
        await Task.CompletedTask.ConfigureAwait(ConfigureAwaitOptions.ForceYielding);
        Task drained = server.Drained;
        await WaitAsync(drained, Linger);
        server.CloseIdle();
        if (onQuiet is not null)
        {
            await WaitAsync(drained, Quiet);
            onQuiet();
        }
        await drained;
        await server.StopAsync();
        lock (_gate) _servers.Remove(server);
        ServerLog.Drained(logger, server.Listener.Name);
    }

    private async Task WaitAsync(Task drained, TimeSpan atMost)
    {
        using CancellationTokenSource enough = CancellationTokenSource.CreateLinkedTokenSource(_hurry.Token);
        Task delay = Task.Delay(atMost, time, enough.Token);
        await Task.WhenAny(drained, delay);
        await enough.CancelAsync();
    }
}
