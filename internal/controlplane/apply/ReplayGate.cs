using System.Globalization;
using Gateway.Config;
using Gateway.DataPlane.Server;

namespace Gateway.ControlPlane.Apply;

/// <summary>
/// Holds a candidate against its own budget of recorded requests that may come out otherwise. The candidate's and not the live one's: who
/// means to change much says so in the same document.
/// </summary>
internal static class ReplayGate
{
    public const string Default = "default";
    private const int MostExamples = 3;

    /// <param name="name">Of the rollout whose budget counts.</param>
    /// <param name="report">Null when nothing is recorded.</param>
    public static IReadOnlyList<ConfigError> Check(GatewayConfig candidate, string name, ReplayReport? report)
    {
        if (report is null || !candidate.Rollout.TryGetValue(name, out RolloutConfig? rollout) || rollout.Replay is not { } budget) return [];
        if (report.Requests < budget.MinRequests || report.ChangedPercent <= budget.MaxChangedPercent) return [];
        string examples = string.Join("; ", report.Examples.Take(MostExamples).Select(static e => $"{e.Count} like {e.Request} go from {Text(e.Before)} to {Text(e.After)}"));
        return
        [
            new ConfigError($"rollout.{name}.replay.maxChangedPercent", ConfigErrorCodes.ReplayBudgetExceeded,
                $"{Percent(report.ChangedPercent)} of {report.Requests} recorded requests would have another outcome, and {Percent(budget.MaxChangedPercent)} may " +
                $"({string.Join(", ", report.ByKind.Select(static k => $"{k.Key} {k.Value}"))}): {examples}. If that is meant, raise the budget in this document; gatewayctl diff tells all of it."),
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
