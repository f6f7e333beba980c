using System.Globalization;

namespace Gateway.Config.Validation;

internal static class RolloutRules
{
    private const int LongestName = 64;
    private const int MostStages = 100;

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
        foreach ((string name, RolloutConfig? rollout) in config.Rollout)
        {
            findings.Path.Push(name);
            // It stands in URLs and on command lines.
            if (Syntax.Token(name, "a rollout's name") is { } wrong) findings.Error(ConfigErrorCodes.InvalidValue, wrong);
            else if (name.Length > LongestName) findings.Error(ConfigErrorCodes.InvalidValue, $"a rollout's name has at most {LongestName} characters, this one has {name.Length}");
            if (rollout is not null) Rollout(rollout, config.Replay, findings);
            findings.Path.Pop();
        }
        findings.Path.Pop();
    }

    private static void Rollout(RolloutConfig rollout, ReplayConfig replay, Findings findings)
    {
        if (rollout.Replay is { } budget) Budget(budget, replay, findings);
        Stages(rollout.Stages, findings);
        if (rollout.Cohort is { } cohort && !IsCohort(cohort))
            findings.Error("cohort", ConfigErrorCodes.InvalidValue, $"\"{Reading.JsonTokens.Shorten(cohort)}\" is not \"ip\", \"header:NAME\", \"cookie:NAME\" or \"random\"");
        if (rollout.Gates is not { } gates) return;
        findings.Path.Push("gates");
        if (gates.ErrorRate is { } errors) Alpha("errorRate", errors.Alpha, findings);
        if (gates.Latency is { } latency)
        {
            Alpha("latency", latency.Alpha, findings);
            findings.Path.Push("latency");
            if (latency.Factor is not (> 1 and <= 100)) findings.Error("factor", ConfigErrorCodes.OutOfRange, $"{Text(latency.Factor)} is not above 1 and up to 100");
            findings.Path.Pop();
        }
        if (gates.ClientErrors is { } clientErrors)
        {
            Alpha("clientErrors", clientErrors.Alpha, findings);
            findings.Path.Push("clientErrors");
            if (clientErrors.MaxDifferencePercent is not (>= 0 and <= 100)) findings.Error("maxDifferencePercent", ConfigErrorCodes.OutOfRange, $"{Text(clientErrors.MaxDifferencePercent)} is not from 0 to 100");
            findings.Path.Pop();
        }
        findings.Path.Pop();
    }

    private static void Stages(IReadOnlyList<RolloutStageConfig> stages, Findings findings)
    {
        if (stages is null) return;
        findings.Path.Push("stages");
        if (stages.Count > MostStages) findings.Error(ConfigErrorCodes.OutOfRange, $"there are {stages.Count} stages; write {MostStages} at most");
        double before = 0;
        for (int i = 0; i < stages.Count; i++)
        {
            if (stages[i] is not { } stage) continue;
            findings.Path.PushIndex(i);
            if (stage.Percent is not (> 0 and <= 100)) findings.Error("percent", ConfigErrorCodes.OutOfRange, $"{Text(stage.Percent)} is not above 0 and up to 100");
            else if (stage.Percent < 0.01) findings.Error("percent", ConfigErrorCodes.OutOfRange, $"{Text(stage.Percent)} is less than one request in ten thousand; write 0.01 at least");
            else if (stage.Percent <= before) findings.Error("percent", ConfigErrorCodes.Conflict, $"{Text(stage.Percent)} is not more than {Text(before)} of the stage before; shares rise from stage to stage");
            else before = stage.Percent;
            findings.Path.Pop();
        }
        findings.Path.Pop();
    }

    private static bool IsCohort(string text) => text == "random" || (RequestKey.TryParse(text, out RequestKey key) && key.Kind is RequestKeyKind.Ip or RequestKeyKind.Header or RequestKeyKind.Cookie);

    private static void Alpha(string gate, double alpha, Findings findings)
    {
        if (alpha is > 0 and < 0.5) return;
        findings.Path.Push(gate);
        findings.Error("alpha", ConfigErrorCodes.OutOfRange, $"{Text(alpha)} is not above 0 and below 0.5");
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

    private static string Text(double value) => value.ToString(CultureInfo.InvariantCulture);
}
