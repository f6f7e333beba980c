using Gateway.DataPlane.Obs;

namespace Gateway.ControlPlane.Rollout;

/// <summary>The metrics of rollouts.</summary>
internal sealed class RolloutMetrics(GatewayMetrics metrics)
{
    private readonly MetricFamily _stages = metrics.Counter("rollout_stages_total", "Stages of rollouts that ended, by stage and how they ended: passed, failed, aborted.", "stage", "result");
    private readonly MetricFamily _percent = metrics.Gauge("rollout_percent", "The share of requests, in percent, that the candidate of the running rollout gets; 0 when none runs.");

    public void Stage(string stage, string result) => _stages.Add(1, stage, result);

    /// <summary>The checks up to the one that failed; null when all passed.</summary>
    public void Checks(string? failed)
    {
        foreach (string stage in RolloutStages.Checks)
        {
            Stage(stage, stage == failed ? "failed" : "passed");
            if (stage == failed) return;
        }
    }

    public void Share(double percent) => _percent.Set(percent);
}
