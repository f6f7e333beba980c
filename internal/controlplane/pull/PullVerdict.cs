using Gateway.Config;
using Gateway.ControlPlane.Apply;
using Gateway.ControlPlane.Bundles;

namespace Gateway.ControlPlane.Pull;

internal enum PullVerdictKind
{
    /// <summary>It is live.</summary>
    Taken,

    /// <summary>Its rollout has begun.</summary>
    Begun,

    /// <summary>The bundle will not pass another time either.</summary>
    Refused,

    /// <summary>Not the bundle's fault.</summary>
    Later,
}

/// <summary>What the intake's answer means for further tries.</summary>
internal sealed record PullVerdict(PullVerdictKind Kind, string Code, string Reason)
{
    public static PullVerdict Of(BundleOutcome outcome)
    {
        if (outcome.Refusal is { } refusal) return new PullVerdict(PullVerdictKind.Refused, refusal.Code, refusal.Message);
        ApplyResult result = outcome.Result!;
        if (result.Outcome == ApplyOutcome.RollingOut) return new PullVerdict(PullVerdictKind.Begun, "", "");
        if (result.IsGood) return new PullVerdict(PullVerdictKind.Taken, "", "");
        string reason = ApplyLedger.Summary(result.Errors) ?? result.ResultName;
        string code = result.Errors is [var first, ..] ? first.Code : result.ResultName;
        // An address may be free the next time; what else is wrong with a document stays wrong.
        bool isFinal = result.Outcome == ApplyOutcome.Rejected && !result.Errors.All(static e => e.Code == ConfigErrorCodes.BindFailed);
        return new PullVerdict(isFinal ? PullVerdictKind.Refused : PullVerdictKind.Later, code, reason);
    }
}
