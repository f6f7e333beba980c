using Gateway.Config;
using Gateway.Core.Breaker;
using Gateway.Core.Retry;
using Gateway.DataPlane.Runtime;

namespace Gateway.DataPlane.Server;

/// <summary>Makes the plans of routes' attempts. Validated documents only: what cannot be read is a bug.</summary>
internal sealed class AttemptPlans
{
    // Most routes leave all of it out and refer to the same records: one plan for all of them, found without comparing a field.
    private RetryConfig? _retry;
    private string? _deadlineHeader;
    private AttemptPlan? _plan;

    public AttemptPlan Compile(RouteConfig route)
    {
        string? deadlineHeader = route.Timeouts.DeadlineHeader;
        if (route.Hedge is { } hedge) return Make(route.Retry, hedge, deadlineHeader);
        if (_plan is not null && ReferenceEquals(_retry, route.Retry) && _deadlineHeader == deadlineHeader) return _plan;
        (_retry, _deadlineHeader) = (route.Retry, deadlineHeader);
        return _plan = Make(route.Retry, null, deadlineHeader);
    }

    public static BreakerSettings? Breaker(BreakerConfig? breaker) => breaker is null ? null : new BreakerSettings
    {
        FailurePercent = breaker.FailurePercent,
        MinRequests = breaker.MinRequests,
        Window = breaker.Window,
        Open = breaker.Open,
        MaxOpen = breaker.MaxOpen,
        Probes = breaker.Probes,
    };

    private static AttemptPlan Make(RetryConfig retry, HedgeConfig? hedge, string? deadlineHeader)
    {
        RetryConditions on = RetryConditions.None;
        List<int> codes = [];
        foreach (string condition in retry.On)
        {
            switch (condition)
            {
                case "connect": on |= RetryConditions.Connect; break;
                case "reset": on |= RetryConditions.Reset; break;
                case "refused": on |= RetryConditions.Refused; break;
                case "timeout": on |= RetryConditions.Timeout; break;
                case "5xx": on |= RetryConditions.ServerError; break;
                case "gateway-error": on |= RetryConditions.GatewayError; break;
                default: codes.Add(int.Parse(condition, System.Globalization.CultureInfo.InvariantCulture)); break;
            }
        }
        const string Header = "header:";
        return new AttemptPlan
        {
            Retry = new RetryPolicy(retry.Attempts, on, [.. codes], retry.Methods == RetryMethods.All),
            Backoff = new Backoff(retry.Backoff.Base, retry.Backoff.Max),
            BufferBytes = (int)retry.BufferBytes.Bytes,
            Budget = new RetryBudgetSettings(retry.Budget.Percent, retry.Budget.MinPerSecond),
            PerClient = retry.PerClient is { } client ? new RetryBudgetSettings(client.Percent, client.MinPerSecond) : null,
            ClientHeader = retry.PerClient?.Key.StartsWith(Header, StringComparison.Ordinal) == true ? retry.PerClient.Key[Header.Length..] : null,
            Hedge = hedge is null ? null : new HedgePlan(DurationText.TryParse(hedge.After, out TimeSpan after) ? after : null),
            DeadlineHeader = deadlineHeader,
        };
    }
}
