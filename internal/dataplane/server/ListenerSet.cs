using Gateway.Config;
using Gateway.DataPlane.Runtime;
using Microsoft.AspNetCore.Connections;

namespace Gateway.DataPlane.Server;

/// <summary>The listeners that run: their sockets, and the servers behind them. Changed by the apply queue, in two steps around a publish.</summary>
internal sealed class ListenerSet(ServerParts parts, IConnectionListenerFactory transport, DrainingServers draining)
{
    private volatile RunningListener[] _running = [];

    /// <summary>A socket, and the server that gets its connections.</summary>
    public sealed record RunningListener(ListenSocket Socket, ListenerServer Server, ListenerModel Model);

    public IReadOnlyList<RunningListener> Running => _running;

    public int DrainingConnections => draining.Connections;

    /// <summary>
    /// Binds what is new and starts the servers that are needed, all before anything is published. On failure everything taken is released
    /// and the errors say why; nothing that runs has been touched in either case.
    /// </summary>
    public async Task<(ListenerPlan? Plan, IReadOnlyList<ConfigError> Errors)> PrepareAsync(ListenerModel[] wanted, CancellationToken cancellationToken)
    {
        Dictionary<string, RunningListener> bySocket = _running.ToDictionary(static running => running.Socket.Key);
        List<ConfigError> errors = [];
        List<RunningListener> next = [];
        List<ListenSocket> bound = [];
        List<ListenerServer> started = [];
        try
        {
            for (int i = 0; i < wanted.Length; i++)
            {
                ListenerModel model = wanted[i];
                string key = ListenAddress.SocketKey(model.EndPoint, model.Name);
                ServerLimits.SettingsKey settings = ServerLimits.KeyOf(model.Config);
                ListenSocket? socket;
                if (bySocket.TryGetValue(key, out RunningListener? running))
                {
                    if (ReferenceEquals(running.Server.Listener, model.State) && running.Server.Settings == settings)
                    {
                        next.Add(running with { Model = model });
                        continue;
                    }
                    socket = running.Socket;
                }
                else
                {
                    socket = await BindAsync(key, model, $"listeners[{i}].address", next, errors, cancellationToken);
                    if (socket is null) continue;
                    bound.Add(socket);
                }
                ListenerServer server = new(model, settings, socket.Bound, parts);
                started.Add(server);
                await server.StartAsync(cancellationToken);
                next.Add(new RunningListener(socket, server, model));
            }
        }
        catch
        {
            await ReleaseAsync(bound, started);
            throw;
        }
        if (errors.Count == 0) return (new ListenerPlan(this, next, bound, started), []);
        await ReleaseAsync(bound, started);
        return (null, errors);
    }

    /// <summary>To be called after the publish: connections accepted from now on meet the new servers, what is gone drains.</summary>
    internal async Task CommitAsync(List<RunningListener> next, IReadOnlyList<ListenerServer> started, Func<Action> hold)
    {
        RunningListener[] before = _running;
        _running = [.. next];
        foreach (RunningListener listener in next)
        {
            if (!started.Contains(listener.Server)) continue;
            listener.Socket.Attach(listener.Server.Attached);
            ServerLog.Listening(parts.Logger, listener.Model.Name, ListenAddress.Text(listener.Socket.Bound));
        }

        HashSet<ListenSocket> keptSockets = [.. next.Select(static listener => listener.Socket)];
        HashSet<ListenerServer> keptServers = [.. next.Select(static listener => listener.Server)];
        HashSet<ListenerState> keptListeners = [.. next.Select(static listener => listener.Model.State)];
        foreach (RunningListener gone in before)
        {
            bool socketKept = keptSockets.Contains(gone.Socket);
            if (keptServers.Contains(gone.Server)) continue;
            if (!socketKept) await gone.Socket.CloseAsync();
            if (socketKept) ServerLog.ServerReplaced(parts.Logger, gone.Model.Name, ListenAddress.Text(gone.Socket.Bound), gone.Server.Connections);
            else ServerLog.ListenerRemoved(parts.Logger, gone.Model.Name, ListenAddress.Text(gone.Socket.Bound), gone.Server.Connections);
            draining.Add(gone.Server, keptListeners.Contains(gone.Model.State) ? null : hold());
        }
    }

    /// <summary>Stops accepting everywhere; the servers drain.</summary>
    public async Task CloseAllAsync()
    {
        RunningListener[] running = _running;
        _running = [];
        foreach (RunningListener listener in running) listener.Server.TellClients();
        foreach (RunningListener listener in running)
        {
            await listener.Socket.CloseAsync();
            draining.Add(listener.Server, null);
        }
    }

    internal static async Task ReleaseAsync(IReadOnlyList<ListenSocket> bound, IReadOnlyList<ListenerServer> started)
    {
        foreach (ListenSocket socket in bound) await socket.CloseAsync();
        foreach (ListenerServer server in started) await server.StopAsync();
    }

    private async Task<ListenSocket?> BindAsync(string key, ListenerModel model, string path, List<RunningListener> earlier, List<ConfigError> errors, CancellationToken cancellationToken)
    {
        try
        {
            if (model.EndPoint is System.Net.Sockets.UnixDomainSocketEndPoint unix) UnixSocketFile.RemoveStale(unix.ToString());
            IConnectionListener inner = await transport.BindAsync(model.EndPoint, cancellationToken);
            return new ListenSocket(key, model.EndPoint, inner, parts.Gate, parts.Logger);
        }
        catch (Exception failure) when (BindFailure.TryExplain(failure, model, earlier, _running, out string? why))
        {
            errors.Add(new ConfigError(path, ConfigErrorCodes.BindFailed, why));
            return null;
        }
    }
}
