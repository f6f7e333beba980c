using System.Globalization;
using Gateway.Config;
using Gateway.DataPlane.Server;

namespace Gateway.ControlPlane.Apply;

/// <summary>
/// Holds a candidate against the budgets of recorded requests that may come out otherwise: its own, for who means to be careful says so in the
/// same document, and the live one's, for it would otherwise be the change that is to be watched that says whether it is.
/// </summary>
internal static class ReplayGate
{
    public const string Default = "default";
    private const int MostExamples = 3;

    /// <param name="candidate">To become live.</param>
    /// <param name="live">Null for none.</param>
    /// <param name="name">Of the rollout whose budgets count.</param>
    /// <param name="report">Null when nothing is recorded.</param>
    public static IReadOnlyList<ConfigError> Check(GatewayConfig candidate, GatewayConfig? live, string name, ReplayReport? report)
    {
        if (report is null) return [];
        if (Of(candidate) is { } own && Exceeds(own)) return Error(name, own, report, "If that is meant, raise the budget in this document");
        return Of(live) is { } standing && Exceeds(standing)
            ? Error(name, standing, report, "That is the live configuration's budget: if this is meant, raise it there first, by a change of its own")
            : [];

        ReplayBudgetConfig? Of(GatewayConfig? config) => config?.Rollout.GetValueOrDefault(name)?.Replay;

        bool Exceeds(ReplayBudgetConfig budget) => report.Requests >= budget.MinRequests && report.ChangedPercent > budget.MaxChangedPercent;
    }

    private static IReadOnlyList<ConfigError> Error(string name, ReplayBudgetConfig budget, ReplayReport report, string fix)
    {
        string examples = string.Join("; ", report.Examples.Take(MostExamples).Select(static e => $"{e.Count} like {e.Request} go from {Text(e.Before)} to {Text(e.After)}"));
        return
        [
            new ConfigError($"rollout.{name}.replay.maxChangedPercent", ConfigErrorCodes.ReplayBudgetExceeded,
                $"{Percent(report.ChangedPercent)} of {report.Requests} recorded requests would have another outcome, and {Percent(budget.MaxChangedPercent)} may " +
                $"({string.Join(", ", report.ByKind.Select(static k => $"{k.Key} {k.Value}"))}): {examples}. {fix}; gatewayctl diff tells all of it."),
        ];
    }

    private static string Percent(double value) => value.ToString("0.##", CultureInfo.InvariantCulture) + "%";

    private static string Text(RouteOutcome? outcome) => outcome switch
    {
        null => "no route",
        { Status: { } status } => $"route '{outcome.Route}' ({status})",
        _ => $"route '{outcome.Route}' (pool '{outcome.Pool}')",
    };
}
