using Gateway.Config;

namespace Gateway.ControlPlane.Provider;

/// <summary>How it stands with the configuration file.</summary>
/// <param name="Errors">Why its content, as last seen, is not what is served; empty when nothing is wrong with it.</param>
/// <param name="At">When that was found.</param>
public sealed record FileStatus(string Path, IReadOnlyList<ConfigError> Errors, DateTimeOffset At)
{
    public bool IsGood => Errors.Count == 0;
}
