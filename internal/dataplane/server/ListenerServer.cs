using System.Net;
using Gateway.DataPlane.Runtime;
using Gateway.DataPlane.Transport;
using Microsoft.AspNetCore.Connections;
using Microsoft.AspNetCore.Connections.Features;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Server.Kestrel.Core;
using Microsoft.AspNetCore.Server.Kestrel.Https;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Options;

namespace Gateway.DataPlane.Server;

/// <summary>
/// One Kestrel server of one listener. It owns no socket: connections come through <see cref="Attached"/>. Settings that Kestrel takes at
/// start are fixed for its life; a listener whose settings change gets another one, and this one drains.
/// </summary>
/// <remarks>
/// Kestrel's own StopAsync is only called when no connection is left: it stops the clock behind all of Kestrel's timeouts first, so what
/// drained for long would drain without any.
/// </remarks>
internal sealed class ListenerServer
{
    private readonly KestrelServer _kestrel;
    private readonly ListenerApplication _application;
    private readonly ILogger _logger;
    private readonly ConnectionBudget _budget;
    private readonly ConnectionSet _connections = new();

    public ListenerServer(ListenerModel model, in ServerLimits.SettingsKey settings, EndPoint bound, ServerParts parts)
    {
        Listener = model.State;
        Settings = settings;
        Attached = new AttachedListener(bound, _connections);
        _logger = parts.Logger;
        _budget = parts.Connections;
        _application = parts.ApplicationOf(model.State);
        KestrelServerOptions options = ServerLimits.Options(settings, parts.KestrelServices);
        Configure(options, settings, model.Tls, bound, parts.Time);
        _kestrel = new KestrelServer(Options.Create(options), new AttachedListenerFactory(Attached), parts.KestrelServices.Loggers);
    }

    public ListenerState Listener { get; }
    public ServerLimits.SettingsKey Settings { get; }
    public AttachedListener Attached { get; }
    public int Connections => _connections.Open;

    /// <summary>Ready for what the socket hands over; before <see cref="ListenSocket.Attach"/> that is nothing.</summary>
    public Task StartAsync(CancellationToken cancellationToken) => _application.StartAsync(_kestrel, cancellationToken);

    /// <summary>Each response from now on is the last of its connection.</summary>
    public void TellClients() => _application.Drain();

    /// <summary><see cref="TellClients"/>, and no connection more.</summary>
    public void BeginDrain()
    {
        TellClients();
        Attached.Complete();
    }

    /// <summary>Idle connections close, busy ones after what they do now.</summary>
    public void CloseIdle() => _connections.RequestClose();

    public void AbortAll() => _connections.Abort();

    /// <summary>Completes when a server that drains has no connection left.</summary>
    public Task Drained => _connections.WhenEmpty();

    /// <summary>Ends a server that has no connection left, or whose connections were aborted.</summary>
    public async Task StopAsync()
    {
        try
        {
            await _kestrel.StopAsync(CancellationToken.None);
        }
        catch (Exception failure)
        {
            ServerLog.ServerStopFailed(_logger, Listener.Name, failure);
        }
        _kestrel.Dispose();
    }

    private void Configure(KestrelServerOptions options, in ServerLimits.SettingsKey settings, ListenerTls? firstTls, EndPoint bound, TimeProvider time)
    {
        bool tls = settings.Tls, http2 = settings.Http2;
        TimeSpan idle = settings.IdleTimeout;
        ConnectionDelegate? http2Pipeline = null;
        if (http2 && !tls)
        {
            // Never accepts; built first, so that its pipeline is there when the other one dispatches to it.
            options.Listen(AttachedListenerFactory.Nowhere, listen =>
            {
                listen.Protocols = HttpProtocols.Http2;
                listen.Use(next => http2Pipeline = next);
            });
        }

        ConnectionDelegate? http = null;
        options.Listen(bound, listen =>
        {
            listen.Protocols = tls && http2 ? HttpProtocols.Http1AndHttp2 : HttpProtocols.Http1;
            listen.Use(next => connection => connection.Features.Get<HandedOver>() is { } handed ? GoOnAsync(handed, connection, http!) : TrackAsync(connection, next));
            listen.Use(LoopAffinity.Middleware);
            listen.Use(next => new ProxyHeaderReader(next, Listener, time, _logger).OnConnectionAsync);
            listen.Use(next => connection => LimitAddressAsync(connection, next));
            listen.Use(next => http = next);
            if (tls)
            {
                listen.UseHttps(new TlsHandshakeCallbackOptions
                {
                    HandshakeTimeout = TimeSpan.FromSeconds(10),
                    // The listener as it is now; as it was, when TLS was taken off it while this connection came.
                    OnConnection = hello => new((Listener.LastModel!.Tls ?? firstTls!).OptionsFor(hello.ClientHelloInfo.ServerName)),
                });
                listen.Use(TlsFacts.Middleware);
            }
            else if (http2)
            {
                listen.Use(next => new PrefaceDispatch(next, () => http2Pipeline!, idle, time).OnConnectionAsync);
            }
            if (tls) listen.Use(next => _application.Direct(next, idle, time) ?? next);
        });

        // In clear text, what comes before the requests is done here, on the loop that accepted, and Kestrel sees those connections alone
        // that need it: to be started by it costs more than all the rest of a connection.
        if (tls || _application.Direct(HandOverAsync, idle, time) is not { } direct) return;
        ConnectionDelegate front = new ProxyHeaderReader(connection => LimitAddressAsync(connection, direct), Listener, time, _logger).OnConnectionAsync;
        Attached.Front = (connection, loop) =>
        {
            if (EventLoop.Current == loop) _ = ServeInFrontAsync(connection, front);
            else loop.Post(static state => { var (server, connection, front) = ((ListenerServer, ConnectionContext, ConnectionDelegate))state!; _ = server.ServeInFrontAsync(connection, front); }, (this, connection, front));
        };
    }

    private async Task ServeInFrontAsync(ConnectionContext connection, ConnectionDelegate front)
    {
        connection.Features.Set<IConnectionLifetimeNotificationFeature>(new CloseNotice());
        try
        {
            await TrackAsync(connection, front);
        }
        catch (Exception failure)
        {
            ServerLog.ConnectionFailed(_logger, Listener.Name, failure);
        }
        // From the moment that Kestrel has it, it is Kestrel's to close.
        if (connection.Features.Get<HandedOver>() is not null) return;
        await connection.DisposeAsync();
        Attached.LeftFront();
    }

    /// <summary>From the front to Kestrel; ends with the connection.</summary>
    private Task HandOverAsync(ConnectionContext connection)
    {
        HandedOver handed = new((CloseNotice)connection.Features.Get<IConnectionLifetimeNotificationFeature>()!);
        // First: to hand it over is to have it accepted.
        connection.Features.Set(handed);
        if (Attached.TryHandOver(connection)) return handed.Ended;
        connection.Features.Set<HandedOver>(null);
        return Task.CompletedTask;
    }

    /// <summary>In Kestrel, after the front.</summary>
    private static async Task GoOnAsync(HandedOver handed, ConnectionContext connection, ConnectionDelegate http)
    {
        // What was asked of it in front is asked of Kestrel now.
        IConnectionLifetimeNotificationFeature? lifetime = connection.Features.Get<IConnectionLifetimeNotificationFeature>();
        await using CancellationTokenRegistration asked = handed.Notice.ConnectionClosedRequested.UnsafeRegister(static lifetime => ((IConnectionLifetimeNotificationFeature?)lifetime)?.RequestClose(), lifetime);
        try
        {
            if (connection.Features.Get<ILoopFeature>() is { } onLoop) await onLoop.Loop.Switch();
            await http(connection);
        }
        finally
        {
            handed.End();
        }
    }

    private async Task TrackAsync(ConnectionContext context, ConnectionDelegate next)
    {
        Config.ListenerLimitsConfig limits = Listener.LastModel!.Config.Limits;
        if (!Listener.Connections.TryEnter(limits.Connections))
        {
            // To return is to close.
            Refused();
            _connections.Left();
            return;
        }
        if (!_budget.TryTake())
        {
            Listener.Connections.LeaveForWantOfDescriptors();
            if (long.IsPow2(Listener.Connections.Refused)) ServerLog.DescriptorsExhausted(_logger, Listener.Name, _budget.Limit);
            _connections.Left();
            return;
        }

        ClientConnection connection = new(context);
        _connections.Add(connection);
        try
        {
            await next(context);
        }
        finally
        {
            _connections.Remove(connection);
            Listener.Connections.Leave();
            _budget.Return();
            _connections.Left();
        }
    }

    /// <summary>By the address that a PROXY header names, where there is one.</summary>
    private Task LimitAddressAsync(ConnectionContext context, ConnectionDelegate next)
    {
        ListenerModel model = Listener.LastModel!;
        int limit = model.Config.Limits.ConnectionsPerAddress;
        if ((limit == 0 && model.ConnectionRate is null) || context.RemoteEndPoint is not IPEndPoint { Address: { } address }) return next(context);
        if (model.ConnectionRate?.TryTake(address, out _) == false)
        {
            Listener.Connections.RefuseByRate();
            Refused();
            return Task.CompletedTask;
        }
        if (limit == 0) return next(context);
        if (Listener.Connections.TryEnterAddress(address, limit)) return CountedAsync(address, context, next);
        Refused();
        return Task.CompletedTask;
    }

    private async Task CountedAsync(IPAddress address, ConnectionContext context, ConnectionDelegate next)
    {
        try
        {
            await next(context);
        }
        finally
        {
            Listener.Connections.LeaveAddress(address);
        }
    }

    // About once per power of two: bounded, and needs no clock.
    private void Refused()
    {
        if (long.IsPow2(Listener.Connections.Refused)) ServerLog.ConnectionLimitReached(_logger, Listener.Name, Listener.Connections.Open);
    }
}
