namespace Gateway.Config.Validation;

internal static class RolloutRules
{
    /// <summary>The one rollout there is; plain applies go by its budget.</summary>
    private const string Default = "default";

    public static void Validate(GatewayConfig config, Findings findings)
    {
        findings.Path.Push("replay");
        for (int i = 0; i < config.Replay.Headers.Count; i++)
        {
            if (config.Replay.Headers[i] is not { } name || Syntax.Token(name, "a header field's name") is not { } wrong) continue;
            findings.Path.Push("headers");
            findings.Path.PushIndex(i);
            findings.Error(ConfigErrorCodes.InvalidValue, wrong);
            findings.Path.Pop();
            findings.Path.Pop();
        }
        findings.Path.Pop();
        findings.Path.Push("rollout");
        foreach ((string name, RolloutConfig rollout) in config.Rollout)
        {
            findings.Path.Push(name);
            if (name != Default) findings.Error(ConfigErrorCodes.InvalidValue, $"there is no rollout of this name yet; write \"{Default}\"");
            if (rollout?.Replay is { } budget) Budget(budget, config.Replay, findings);
            findings.Path.Pop();
        }
        findings.Path.Pop();
    }

    private static void Budget(ReplayBudgetConfig budget, ReplayConfig replay, Findings findings)
    {
        findings.Path.Push("replay");
        if (budget.MaxChangedPercent is < 0 or > 100) findings.Error("maxChangedPercent", ConfigErrorCodes.OutOfRange, $"{budget.MaxChangedPercent} is not from 0 to 100");
        if (replay.Keep == 0) findings.Warning(ConfigErrorCodes.Doubtful, "no requests are recorded to hold it against; set replay.keep");
        else if (budget.MinRequests > replay.Keep) findings.Warning("minRequests", ConfigErrorCodes.Doubtful, $"never so many are kept: replay.keep is {replay.Keep}");
        findings.Path.Pop();
    }
}
