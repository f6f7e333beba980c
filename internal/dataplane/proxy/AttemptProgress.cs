using Gateway.Core.Breaker;
using Gateway.Core.Pool;
using Gateway.DataPlane.Obs;
using Gateway.DataPlane.Runtime;
using Gateway.DataPlane.Transport;

namespace Gateway.DataPlane.Proxy;

/// <summary>Where a request stands with its attempts. One per exchange, begun anew for each request; only the request's flow touches it.</summary>
internal sealed class AttemptProgress(Exchange exchange, TimeProvider time) : IResendGuard
{
    private readonly List<EndpointState> _tried = [];
    private BreakerPermit _permit, _left;

    /// <summary>What the route's attempts share; valid from <see cref="Begin"/> on.</summary>
    public RouteAttempts Shared { get; private set; } = null!;

    /// <summary>How the last attempt ended, as far as its response's head; of one that has not come so far it says nothing.</summary>
    public AttemptResult Result { get; set; }

    /// <summary>The permit that was given back last.</summary>
    public BreakerPermit LeftPermit => _left;

    /// <summary>The upstream certainly has not begun with the last attempt.</summary>
    public bool NotProcessed { get; set; }

    /// <summary>The last attempt goes to nobody: the request is sent once more, after <see cref="Pause"/>.</summary>
    public bool IsAgain { get; private set; }

    public TimeSpan Pause { get; private set; }

    public void Begin(RouteAttempts shared)
    {
        Shared = shared;
        IsAgain = false;
        if (_tried.Count != 0) _tried.Clear();
    }

    /// <summary>An attempt begins.</summary>
    public void BeginAttempt(BreakerPermit permit)
    {
        _permit = permit;
        _left = default;
        Result = new AttemptResult(AttemptKind.NotOfTheUpstream, 0, 0);
        NotProcessed = false;
        IsAgain = false;
    }

    /// <summary>The permit of the attempt, to be given back now. Once: the next call gives the one of no breaker.</summary>
    public BreakerPermit TakePermit()
    {
        BreakerPermit permit = _permit;
        if (permit.IsHeld) _left = permit;
        _permit = default;
        return permit;
    }

    /// <summary>Notes that the request is sent once more, to another endpoint than this one as long as there are others.</summary>
    public void Again(EndpointState tried, TimeSpan pause)
    {
        _tried.Add(tried);
        IsAgain = true;
        Pause = pause;
    }

    /// <summary>The endpoint was asked too, by an attempt that came to nothing.</summary>
    public void NoteTried(EndpointState endpoint) => _tried.Add(endpoint);

    /// <summary>Takes over what came of another attempt at the same request.</summary>
    public void TakeOutcome(AttemptProgress of)
    {
        (Result, NotProcessed, IsAgain, Pause) = (of.Result, of.NotProcessed, of.IsAgain, of.Pause);
        _tried.AddRange(of._tried);
        NoteTried(exchange.Context.Endpoint!.State);
    }

    /// <summary>The endpoints that were tried, as a pick excludes them.</summary>
    public MemberSet TriedIn(EndpointSet endpoints)
    {
        MemberSet set = default;
        foreach (EndpointState tried in _tried) set = set.With(endpoints.IndexOf(tried));
        return set;
    }

    /// <summary>
    /// A connection that had been kept turned out closed before a byte came back, so the request was not processed and may go out on
    /// another one: within the same attempt, but not outside the bound.
    /// </summary>
    public bool TryResend()
    {
        RequestContext request = exchange.Context;
        AttemptCounts counts = request.Route!.State.CountAttempts();
        if (Shared.TryTakeExtra(ClientKey.Of(exchange), time.GetTimestamp()))
        {
            counts.Retry(RetryReason.Stale);
            // It went out, and may have been read: to whoever adds up what endpoints were sent, it is an attempt.
            request.Route.Pool!.State.Metrics.RecordAttempt((int)ErrorCategory.UpstreamReset, 0);
            return true;
        }
        counts.Exhaust();
        return false;
    }

    /// <summary>Forgets the request.</summary>
    public void Reset()
    {
        if (_tried.Count != 0) _tried.Clear();
        Shared = null!;
    }
}
