using System.Globalization;
using Gateway.Config;

namespace Gateway.ControlPlane.Rollout;

/// <summary>The words for people and for the wire.</summary>
internal static class RolloutText
{
    public static string Name(RolloutState state) => state switch
    {
        RolloutState.Running => "running",
        RolloutState.Paused => "paused",
        RolloutState.Promoted => "promoted",
        RolloutState.Returned => "returned",
        RolloutState.Refused => "refused",
        _ => "aborted",
    };

    public static RolloutState? State(string? name) => name switch
    {
        "running" => RolloutState.Running,
        "paused" => RolloutState.Paused,
        "promoted" => RolloutState.Promoted,
        "returned" => RolloutState.Returned,
        "refused" => RolloutState.Refused,
        "aborted" => RolloutState.Aborted,
        _ => null,
    };

    public static string Percent(double value) => value.ToString("0.##", CultureInfo.InvariantCulture) + "%";

    /// <summary>As in a document, short: <c>1 30s, 10 1m</c>.</summary>
    public static string Stages(IReadOnlyList<RolloutStage> stages) => string.Join(", ", stages.Select(static s => string.Create(CultureInfo.InvariantCulture, $"{s.Percent} {DurationText.Format(s.For)}")));

    /// <summary>What cannot be read is left out.</summary>
    public static IReadOnlyList<RolloutStage> ReadStages(string text)
    {
        List<RolloutStage> stages = [];
        foreach (string stage in text.Split(", ", StringSplitOptions.RemoveEmptyEntries))
        {
            if (stage.Split(' ') is [var percent, var time] && double.TryParse(percent, NumberStyles.Float, CultureInfo.InvariantCulture, out double share) && DurationText.TryParse(time, out TimeSpan least))
                stages.Add(new RolloutStage(share, least));
        }
        return stages;
    }

    /// <summary>The check that an error comes from, as the stages are named.</summary>
    public static string CheckOf(IReadOnlyList<ConfigError> errors) => errors switch
    {
        [{ Code: ConfigErrorCodes.ExpectFailed }, ..] => RolloutStages.Expect,
        [{ Code: ConfigErrorCodes.ReplayBudgetExceeded }, ..] => RolloutStages.Replay,
        _ => RolloutStages.Validate,
    };
}
