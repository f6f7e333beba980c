namespace Gateway.ControlPlane.Rollout;

/// <summary>The stages' names.</summary>
internal static class RolloutStages
{
    public const string Validate = "validate";
    public const string Expect = "expect";
    public const string Replay = "replay";
    public const string Canary = "canary";
    public const string Full = "full";

    /// <summary>In the order in which a candidate goes through them.</summary>
    public static readonly string[] Checks = [Validate, Expect, Replay];
}
