namespace Gateway.Config.Validation;

internal static class HealthRules
{
    public static void Validate(PoolConfig pool, Findings findings)
    {
        if (pool.Outlier is { } outlier) Outlier(outlier, findings);
    }

    private static void Outlier(OutlierConfig outlier, Findings findings)
    {
        findings.Path.Push("outlier");
        if (outlier.MaxEjection < outlier.BaseEjection)
            findings.Error("maxEjection", ConfigErrorCodes.Conflict, $"{DurationText.Format(outlier.MaxEjection)} is shorter than the first ejection, {DurationText.Format(outlier.BaseEjection)}; raise it, or lower baseEjection");
        if (outlier.Latency is { Multiplier: 1 })
            findings.Warning("latency", ConfigErrorCodes.Doubtful, "with a multiplier of 1 half of the endpoints are always too slow; use 2 or more, or 0 to turn it off");
        if (outlier is { ConsecutiveFailures: 0, FailurePercent: 0, Latency.Multiplier: 0 })
            findings.Warning(ConfigErrorCodes.Doubtful, "everything it could look at is turned off; remove it, or set one of consecutiveFailures, failurePercent and latency.multiplier");
        findings.Path.Pop();
    }
}
