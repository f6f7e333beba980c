using System.Globalization;
using Gateway.Config;

namespace Gateway.ControlPlane.Rollout;

/// <summary>What is to be done next.</summary>
internal enum RolloutMove
{
    Stay,

    /// <summary>The next share.</summary>
    Next,

    /// <summary>The candidate for all.</summary>
    Promote,

    /// <summary>Back to what is live.</summary>
    Return,
}

/// <summary>
/// The stages of one canary over time: a stage lasts as long as it is told, and until the candidate has served enough requests, or the
/// patience for them has run out. Pause stops its clock and never its gates. Decides, and does nothing; not thread safe.
/// </summary>
/// <param name="plan">With one stage at least.</param>
/// <param name="now">A time that only rises, as all that follow.</param>
internal sealed class RolloutRun(RolloutPlan plan, TimeSpan now)
{
    private TimeSpan _seen = now;
    private TimeSpan _elapsed;
    private long _samples;
    private long _samplesBefore;

    public int StageIndex { get; private set; }

    public RolloutStage Stage => plan.Stages[StageIndex];

    public bool IsPaused { get; private set; }

    /// <summary>What the present stage waits for, for a person; null when it just takes its time.</summary>
    public string? WaitsFor { get; private set; }

    /// <summary>How long the stage goes on at least.</summary>
    public TimeSpan Left => Stage.For > _elapsed ? Stage.For - _elapsed : TimeSpan.Zero;

    /// <summary>Requests that the candidate has served in this stage.</summary>
    public long StageSamples => _samples - _samplesBefore;

    public void Pause(TimeSpan now)
    {
        Pass(now);
        IsPaused = true;
    }

    public void Resume(TimeSpan now)
    {
        Pass(now);
        IsPaused = false;
    }

    /// <param name="now">When that was seen.</param>
    public RolloutMove Look(TimeSpan now, CanaryLook look)
    {
        Pass(now);
        _samples = look.Samples;
        WaitsFor = null;
        if (look.Worse is not null) return RolloutMove.Return;
        if (IsPaused || Left > TimeSpan.Zero) return RolloutMove.Stay;
        if (StageSamples >= plan.Gates.MinSamples) return Onward();
        WaitsFor = string.Create(CultureInfo.InvariantCulture, $"{StageSamples} of {plan.Gates.MinSamples} requests that the candidate must have served at {RolloutText.Percent(Stage.Percent)}");
        if (_elapsed < plan.Gates.MaxTime) return RolloutMove.Stay;
        return plan.OnNoTraffic switch
        {
            NoTrafficAction.Promote => Onward(),
            NoTrafficAction.Return => RolloutMove.Return,
            _ => RolloutMove.Stay,
        };
    }

    /// <summary>Takes up the next stage, as <see cref="RolloutMove.Next"/> asks.</summary>
    public void Advance()
    {
        StageIndex++;
        _elapsed = TimeSpan.Zero;
        _samplesBefore = _samples;
        WaitsFor = null;
    }

    private RolloutMove Onward() => StageIndex + 1 < plan.Stages.Count ? RolloutMove.Next : RolloutMove.Promote;

    private void Pass(TimeSpan now)
    {
        if (!IsPaused) _elapsed += now - _seen;
        _seen = now;
    }
}
