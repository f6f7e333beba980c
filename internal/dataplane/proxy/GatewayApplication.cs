using System.Runtime.CompilerServices;
using System.Runtime.ExceptionServices;
using System.Text;
using Gateway.DataPlane.Obs;
using Gateway.DataPlane.Proxy.Direct;
using Gateway.DataPlane.Runtime;
using Gateway.DataPlane.Transport;
using Microsoft.AspNetCore.Hosting.Server;
using Microsoft.AspNetCore.Hosting.Server.Abstractions;
using Microsoft.AspNetCore.Http.Features;
using Microsoft.AspNetCore.Server.Kestrel.Core;
using Microsoft.Extensions.Logging;

namespace Gateway.DataPlane.Proxy;

/// <summary>What a listener's Kestrel calls for each request: from there to the recorded outcome.</summary>
internal sealed partial class GatewayApplication(ProxyServices services, ListenerState listener) : IHttpApplication<Exchange>
{
    private readonly Forwarder _forwarder = new(services);

    /// <summary>Sends requests on.</summary>
    public Forwarder Forwarder => _forwarder;

    /// <summary>The server options that the exchange relies on. Limits that it answers itself are the caller's to set with slack.</summary>
    public static void Configure(KestrelServerOptions options)
    {
        // A line ends with CR LF and nothing else; Kestrel takes a lone LF too unless told for the whole process.
        AppContext.SetSwitch("Microsoft.AspNetCore.Server.Kestrel.DisableHttp1LineFeedTerminators", true);
        options.AddServerHeader = false;
        // Header bytes go through as they are: Latin-1 maps every byte to one character and back.
        options.RequestHeaderEncodingSelector = static _ => Encoding.Latin1;
        options.ResponseHeaderEncodingSelector = static _ => Encoding.Latin1;
        // HTTP/2 behind a proxy that ended TLS says https on a connection without it.
        options.AllowAlternateSchemes = true;
        // The absolute form's authority replaces Host (RFC 9112 section 3.2.2).
        options.AllowHostHeaderOverride = true;
        // The body limit is the route's, so it is counted here.
        options.Limits.MaxRequestBodySize = null;
    }

    public Exchange CreateContext(IFeatureCollection contextFeatures)
    {
        Exchange exchange;
        if (contextFeatures is IHostContextContainer<Exchange> container) exchange = container.HostContext ??= new Exchange(services.Time);
        else exchange = new Exchange(services.Time);
        exchange.Downstream.Attach(contextFeatures);
        exchange.Deadline.Loop = exchange.Downstream.Loop;
        return exchange;
    }

    public async Task ProcessRequestAsync(Exchange context)
    {
        // Kestrel starts the streams of HTTP/2 on the thread pool; all that is kept for the next request lies on the connection's loop.
        if (context.Downstream.Loop is { } loop && EventLoop.Current != loop) await loop.Switch();
        await ServeAsync(context);
    }

    /// <summary>From the request to its recorded outcome; on the connection's loop, where it has one.</summary>
    public ValueTask ServeAsync(Exchange context)
    {
        Begin(context);
        return GoOnAsync(context, default);
    }

    /// <summary>Binds the request to the snapshot that serves it, until <see cref="End"/>.</summary>
    public void Begin(Exchange context)
    {
        RequestContext request = context.Context;
        request.StartedAt = services.Time.GetTimestamp();
        request.ListenerState = listener;
        GatewaySnapshot snapshot = Bind(context);
        request.Snapshot = snapshot;
        request.SnapshotVersion = snapshot.Version;
        request.Listener = listener.In(snapshot);
    }

    /// <summary>Serves a request that has begun to its recorded outcome, from where it has come so far.</summary>
    [AsyncMethodBuilder(typeof(LoopTaskMethodBuilder))]
    public async ValueTask GoOnAsync(Exchange context, BegunRequest begun)
    {
        RequestContext request = context.Context;
        try
        {
            if (begun.Failure is { } failure) ExceptionDispatchInfo.Throw(failure);
            long bodyLimit = begun.BodyLimit;
            if (begun.Forwarding is { } forwarding) await forwarding;
            else if ((begun.IsAdmitted ? begun.Route : Admit(context, out bodyLimit)) is { } route && !await (begun.IsAdmitted ? begun.Answered : IsAnsweredAsync(route, context)))
                await _forwarder.ForwardAsync(context, route, bodyLimit, begun.Attempt);
            if (request.Category != ErrorCategory.None) await ErrorResponder.RespondAsync(request);
            else request.Status = context.Downstream.StatusCode;
        }
        catch (Exception e)
        {
            await RecoverAsync(context, e);
        }
        finally
        {
            End(context);
        }
    }

    /// <summary>Records the outcome and lets go of the snapshot. Once for each request that has begun.</summary>
    public void End(Exchange context)
    {
        context.Deadline.End();
        Outcome.Record(context, services);
        context.Context.End();
        if (context.Context.Snapshot is { } held) services.Snapshots.Release(held);
    }

    public void DisposeContext(Exchange context, Exception? exception) => context.Reset();

    /// <summary>The snapshot that serves the request to its end, held.</summary>
    private GatewaySnapshot Bind(Exchange exchange)
    {
        while (true)
        {
            Serving serving = services.Snapshots.Serving!;
            GatewaySnapshot snapshot = serving.Canary is null ? serving.Live : CanaryChoice.Of(exchange, serving);
            if (services.Snapshots.TryHold(serving, snapshot)) return snapshot;
            exchange.Context.Canary = null;
            exchange.Context.Variant = Variant.None;
        }
    }

    /// <summary>The route to go on with; null when the request has been answered or refused.</summary>
    public RouteModel? Admit(Exchange exchange, out long bodyLimit)
    {
        RequestContext request = exchange.Context;
        bodyLimit = 0;
        if (!RequestHead.Read(exchange, services.RequestIds)) return null;
        // A gRPC stream or a tunnel may be silent for as long as the route's idle timeout lets it; the rate is for uploads.
        if (request.IsGrpc || exchange.Downstream.UpgradeProtocol is not null) exchange.Downstream.AllowQuietBody();
        if (request.RawPathAndQuery == "*")
        {
            AnswerAsterisk(exchange);
            return null;
        }
        request.Route = request.Listener.Routes.Match(new RouteRequest(request), out bool twoReadings);
        // Also of requests that no route is for: what is not there is asked for often.
        if (request.Listener.RequestRate is { } rate && !rate.TryTake(ClientAddress.Of(exchange), out TimeSpan wait))
        {
            request.RetryAfter = wait;
            request.Fail(ErrorCategory.RateLimited, "The client sends more requests than it may.");
            return null;
        }
        if (request.Route is not { } route)
        {
            request.Fail(ErrorCategory.NoRoute, twoReadings
                ? "No route matches the request: its path can be read in two ways that lead to different routes (encoded or back slashes, empty segments, path parameters)."
                : "No route matches the request.");
            return null;
        }
        if (services.Shedder.TurnsAway(route, request))
        {
            request.Fail(ErrorCategory.Overloaded, "The gateway has more to do than it can.");
            return null;
        }
        bodyLimit = route.MaxBodyBytes ?? request.Listener.MaxBodyBytes;
        if (bodyLimit == 0 || !(exchange.Downstream.RequestHeaders.ContentLength > bodyLimit)) return route;
        request.Fail(ErrorCategory.RequestTooLarge, "The request body is larger than the route accepts.");
        return null;
    }

    /// <summary>Runs the route's filters. True: one of them has answered, or refused, the request.</summary>
    public static ValueTask<bool> IsAnsweredAsync(RouteModel route, Exchange exchange)
    {
        Forwarder.BeginTime(exchange, route);
        return route.Filters.Length == 0 ? new(false) : RunFiltersAsync(route.Filters, exchange);
    }

    [AsyncMethodBuilder(typeof(LoopTaskMethodBuilder<>))]
    private static async ValueTask<bool> RunFiltersAsync(IRequestFilter[] filters, Exchange exchange)
    {
        bool answered = false;
        foreach (IRequestFilter filter in filters)
        {
            answered = await filter.OnRequestAsync(exchange.Context);
            if (answered) break;
        }
        // One that had to wait may have gone on elsewhere; the connection is its loop's.
        if (exchange.Downstream.Loop is { } loop && EventLoop.Current != loop) await loop.Switch();
        return answered;
    }

    // "OPTIONS *" asks about the server itself, not about anything behind it (RFC 9110 section 9.3.7).
    private static void AnswerAsterisk(Exchange exchange)
    {
        if (exchange.Downstream.Method == "OPTIONS")
        {
            exchange.Downstream.StatusCode = 200;
            exchange.Downstream.ResponseHeaders.ContentLength = 0;
            return;
        }
        exchange.Context.Fail(ErrorCategory.BadRequest, "Only OPTIONS has the target *.");
    }

    private async ValueTask RecoverAsync(Exchange exchange, Exception error)
    {
        RequestContext request = exchange.Context;
        if (exchange.Downstream.Aborted.IsCancellationRequested)
        {
            request.Category = ErrorCategory.ClientClosed;
        }
        else
        {
            LogInternal(services.Log, error, request.RequestId, request.Route?.Name ?? "");
            request.Category = ErrorCategory.Internal;
        }
        request.Detail = null;
        request.FailStatus = 0;
        try
        {
            await ErrorResponder.RespondAsync(request);
        }
        catch (Exception e) when (e is IOException or InvalidOperationException or OperationCanceledException)
        {
            exchange.Downstream.Abort("internal");
        }
    }

    [LoggerMessage(1001, LogLevel.Error, "request {RequestId} on route '{Route}' failed for a reason of the gateway's own")]
    private static partial void LogInternal(ILogger logger, Exception error, RequestId requestId, string route);
}
