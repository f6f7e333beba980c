using Gateway.DataPlane.Obs;

namespace Gateway.ControlPlane.Apply;

/// <summary>The control plane's metrics.</summary>
public sealed class ApplyMetrics(GatewayMetrics metrics)
{
    private readonly MetricFamily _applies = metrics.Counter("config_applies_total", "Configurations that were to be applied, by source and how it ended.", "source", "result");
    private readonly DurationHistogram _duration = metrics.Histogram("config_apply_duration_seconds", "Time from taking up a configuration to its being live and recorded, in seconds.");
    private readonly MetricFamily _info = metrics.Gauge("config_info", "The live configuration; always 1.", "version", "source");
    private readonly MetricFamily _rollbacks = metrics.Counter("rollbacks_total", "Rollbacks, by how they ended; and rollouts that were returned or aborted.", "result");
    private readonly MetricFamily _bundles = metrics.Counter("bundle_verifications_total", "Signed bundles that were brought, by how their verification ended: ok, or the reason of the refusal.", "result");
    private readonly MetricFamily _fileError = metrics.Gauge("config_file_error", "1 while the configuration file cannot be read or applied, else 0.");

    public void Applied(string source, ApplyOutcome outcome, TimeSpan duration)
    {
        string result = ApplyResult.NameOf(outcome);
        _applies.Add(1, source, result);
        if (outcome == ApplyOutcome.Applied) _duration.Record(duration);
        if (source == "rollback") _rollbacks.Add(1, result);
    }

    /// <param name="result"><c>ok</c>, or the code of the refusal.</param>
    public void BundleVerified(string result) => _bundles.Add(1, result);

    /// <param name="result">How a rollout ended that was taken back: <c>returned</c> or <c>aborted</c>.</param>
    public void RolledBack(string result) => _rollbacks.Add(1, result);

    public void Live(string version, string source)
    {
        _info.Clear();
        _info.Set(1, version, source);
    }

    public void FileError(bool failing) => _fileError.Set(failing ? 1 : 0);
}
