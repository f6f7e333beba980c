using System.Globalization;
using Gateway.Config;
using Gateway.Core.Outlier;
using Gateway.DataPlane.Runtime;

namespace Gateway.DataPlane.Health;

/// <summary>The words of the ledger, of metrics and of the admin API. Part of the contract.</summary>
internal static class HealthWords
{
    public const string Healthy = "healthy", Panic = "panic", Normal = "normal";

    /// <summary>Of an endpoint before it joined the pool and after it left.</summary>
    public const string Absent = "absent";

    /// <summary>Why an endpoint joined or left: DNS says so, or a document does.</summary>
    public const string Discovery = "discovery", Apply = "apply";

    public static string StateOf(EndpointFaults faults)
    {
        if (faults == EndpointFaults.None) return Healthy;
        List<string> words = [];
        if ((faults & EndpointFaults.Ejected) != 0) words.Add("ejected");
        if ((faults & EndpointFaults.ProbeFailed) != 0) words.Add("unhealthy");
        else if ((faults & EndpointFaults.Unprobed) != 0) words.Add("unprobed");
        return string.Join(", ", words);
    }

    /// <summary>The cause of what probes find.</summary>
    public const string Probe = "probe";

    public static string DetailOf(Prober prober, in ProbeResult result) => string.Create(CultureInfo.InvariantCulture,
        $"{prober.Name}: {result.Detail}; {prober.Streak.Length} in a row (health.active.{(result.IsGood ? $"healthyAfter {prober.Plan.HealthyAfter}" : $"unhealthyAfter {prober.Plan.UnhealthyAfter}")}, the first decides alone)");

    public static string CauseOf(EjectionReason reason) => reason switch
    {
        EjectionReason.Unanswered => "no_answer",
        EjectionReason.ConsecutiveFailures => "consecutive_failures",
        EjectionReason.FailurePercent => "failure_percent",
        EjectionReason.Latency => "latency",
        _ => throw new ArgumentOutOfRangeException(nameof(reason)),
    };

    /// <summary>What a decision was based on, with the settings it was held against.</summary>
    public static string DetailOf(in EjectionDecision decision, HealthPlan plan, (AttemptKind Kind, int Status) last)
    {
        OutlierSettings? outlier = plan.Outlier;
        switch (decision.Step)
        {
            case EjectionStep.Returned: return "its time is over";
            case EjectionStep.Released: return "the settings, or the number of endpoints, allow it no more";
        }
        string evidence = decision.Reason switch
        {
            EjectionReason.Unanswered =>
                $"{decision.Failures} attempts in a row without an answer (health.passive.failures {plan.Passive!.Failures}), the last: {WordOf(last)}",
            EjectionReason.ConsecutiveFailures =>
                $"{decision.Failures} failures in a row (outlier.consecutiveFailures {outlier!.ConsecutiveFailures}), the last: {WordOf(last)}",
            EjectionReason.FailurePercent => string.Create(CultureInfo.InvariantCulture,
                $"{decision.Failures} of {decision.Attempts} attempts in {DurationText.Format(outlier!.Window)} failed (outlier.failurePercent {outlier.FailurePercent} of at least {outlier.MinRequests}), the last: {WordOf(last)}"),
            _ => string.Create(CultureInfo.InvariantCulture,
                $"95th percentile {Milliseconds(decision.Latency):0.#} ms of {decision.Attempts} answers in {DurationText.Format(outlier!.Interval)}, the pool's {Milliseconds(decision.PoolLatency):0.#} ms (outlier.latency.multiplier {outlier.LatencyMultiplier}, intervals {outlier.LatencyIntervals})"),
        };
        if (decision.Step == EjectionStep.Spared)
            return $"{evidence}; stays in, for {decision.Ejected} of the pool are out and outlier.maxEjectedPercent {outlier!.MaxEjectedPercent} allows {decision.Allowed}";
        string count = decision.Member.Ejections > 1 && decision.Reason != EjectionReason.Unanswered ? $", for the {decision.Member.Ejections}. time" : "";
        return $"{evidence}; out for {DurationText.Format(decision.Length)}{count}, {decision.Ejected} of the pool are out";
    }

    private static string WordOf((AttemptKind Kind, int Status) failure) => failure.Kind switch
    {
        AttemptKind.ServerError => failure.Status.ToString(CultureInfo.InvariantCulture),
        AttemptKind.ConnectFailed => "not connected",
        AttemptKind.Reset or AttemptKind.ProtocolError or AttemptKind.Timeout when failure.Status != 0 => "cut off in the body",
        AttemptKind.Reset => "reset",
        AttemptKind.ProtocolError => "not HTTP",
        AttemptKind.Timeout => "timeout",
        _ => "none",
    };

    private static double Milliseconds(long timestampTicks) => timestampTicks * 1000.0 / System.Diagnostics.Stopwatch.Frequency;
}
