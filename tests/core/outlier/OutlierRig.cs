using Gateway.Core.Outlier;

namespace Gateway.Core.Tests.Outlier;

/// <summary>A pool under a detector in virtual time.</summary>
internal sealed class OutlierRig
{
    // Virtual time does not begin at zero, where a forgotten start would not be seen.
    private static readonly TimeSpan Start = TimeSpan.FromDays(3);

    private readonly OutlierDetector _detector = new();

    public OutlierRig(int members, PassiveSettings? passive = null, OutlierSettings? outlier = null)
    {
        Members = [.. Enumerable.Range(0, members).Select(i => new OutlierMember($"e{i}", new AttemptCounts()))];
        Configure(passive, outlier);
    }

    public OutlierMember[] Members { get; private set; }

    public OutlierDetector Detector => _detector;

    public TimeSpan Now { get; private set; } = Start;

    public List<EjectionDecision> Decisions { get; } = [];

    public IEnumerable<string> Out => Members.Where(m => m.Reason != EjectionReason.None).Select(m => m.Name);

    public void Configure(PassiveSettings? passive, OutlierSettings? outlier) => _detector.Configure(Now, passive, outlier, Members);

    public void Keep(int members)
    {
        Members = Members[..members];
    }

    /// <summary>Looks each quarter of a second, as the owner does.</summary>
    public void Pass(TimeSpan time)
    {
        for (TimeSpan end = Now + time; Now < end;)
        {
            Now += TimeSpan.FromMilliseconds(250);
            Evaluate();
        }
    }

    public void Pass(int seconds) => Pass(TimeSpan.FromSeconds(seconds));

    public void Evaluate() => _detector.Evaluate(Now, Decisions);

    public void Succeed(int member, int times = 1, int milliseconds = 10)
    {
        for (int i = 0; i < times; i++)
        {
            Members[member].Counts.RecordSuccess(milliseconds * 1_000_000L);
            Members[member].Counts.RecordWhole();
        }
    }

    public void Cut(int member, int times = 1)
    {
        for (int i = 0; i < times; i++)
        {
            Members[member].Counts.RecordSuccess(1);
            Members[member].Counts.RecordCut();
        }
    }

    public void Error(int member, int times = 1)
    {
        for (int i = 0; i < times; i++) Members[member].Counts.RecordError();
    }

    public void Unanswered(int member, int times = 1)
    {
        for (int i = 0; i < times; i++) Members[member].Counts.RecordUnanswered(out _);
    }
}
