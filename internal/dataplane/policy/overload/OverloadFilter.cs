using Gateway.Config;
using Gateway.Core.Limits;
using Gateway.Core.Router;
using Gateway.DataPlane.Runtime;

namespace Gateway.DataPlane.Policy.Overload;

/// <summary>Lets a request in when the route has a slot for it, now or within the time that it may wait. The slot is given back at the request's end.</summary>
internal sealed class OverloadFilter : IRequestFilter, IRequestEnd
{
    private readonly ConcurrencyLimiter _limiter;
    private readonly GradientLimit? _gradient;
    private readonly PriorityRule _priority;
    private readonly QueueSettings _queue;
    private readonly TimeProvider _time;
    private readonly int _max;

    public OverloadFilter(OverloadConfig config, in FeatureSite site)
    {
        _limiter = site.State.Limiter(site.Time);
        _gradient = config.Adaptive ? site.State.Gradient(site.Time) : null;
        _priority = site.Priority;
        _queue = new QueueSettings(config.MaxQueue, config.QueueTimeout);
        _time = site.Time;
        _max = config.MaxInflight;
    }

    /// <summary>How many run at once follows their latency.</summary>
    public bool IsAdaptive => _gradient is not null;

    private int Limit => _gradient is null ? _max : Math.Min(_gradient.Limit, _max);

    public ValueTask<bool> OnRequestAsync(RequestContext context)
    {
        if (!_limiter.TryEnter(Limit)) return WaitAsync(context);
        Admit(context);
        return new(false);
    }

    public void OnEnd(RequestContext context)
    {
        // How long the response took to come, or that it took too long. Other failures may be quick, and say nothing about the load.
        if (_gradient is not null && context.UpstreamHeadersAt != 0 && context.Category is ErrorCategory.None or ErrorCategory.UpstreamTimeout or ErrorCategory.RequestTimeout)
        {
            _gradient.Record(context.EndedAt, context.UpstreamHeadersAt - context.AdmittedAt, _limiter.InFlight, _max);
        }
        _limiter.Leave(Limit, _queue.Timeout);
    }

    /// <summary>What it stands at.</summary>
    public OverloadReading Read() => new(Limit, _gradient is null ? null : _max, _limiter.InFlight, _limiter.Waiting, _queue.Length);

    public FilterEffect Explain(in DescribedRequest request) => new("overload",
        $"may wait for one of {Limit} slots, {_limiter.InFlight} of which are taken{(_gradient is null ? "" : $" (adaptive, at most {_max})")}");

    private async ValueTask<bool> WaitAsync(RequestContext context)
    {
        Admission admission = Admission.Cancelled;
        // Who waits no longer, for it has left or its time is over, must take no place in the queue, let alone another's.
        if (!context.Time.IsOver)
        {
            using var either = CancellationTokenSource.CreateLinkedTokenSource(context.Downstream.Aborted, context.Time.Token);
            admission = await _limiter.WaitAsync(Limit, _queue, _priority.Of(context), either.Token);
        }
        switch (admission)
        {
            case Admission.Admitted:
                Admit(context);
                return false;
            case Admission.Cancelled:
                if (context.Downstream.Aborted.IsCancellationRequested) context.Fail(ErrorCategory.ClientClosed);
                else context.Fail(ErrorCategory.RequestTimeout, "The request took longer than the route allows.");
                return true;
            default:
                context.Fail(ErrorCategory.Overloaded, admission switch
                {
                    Admission.QueueFull => "As many requests of this route run and wait as may.",
                    Admission.Displaced => "As many requests of this route run as may, and others went first.",
                    _ => "As many requests of this route run as may, and none of them ended in time.",
                });
                return true;
        }
    }

    private void Admit(RequestContext context)
    {
        context.AdmittedAt = _time.GetTimestamp();
        context.AtEnd(this);
    }
}

/// <summary>What a bound on concurrency stands at.</summary>
/// <param name="Limit">Requests at once at most, now.</param>
/// <param name="Max">The upper bound of a limit that is found; null of one that is given.</param>
internal readonly record struct OverloadReading(int Limit, int? Max, int InFlight, int Waiting, int MaxQueue);
