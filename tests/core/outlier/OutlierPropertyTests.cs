using FsCheck;
using FsCheck.Fluent;
using Gateway.Core.Outlier;

namespace Gateway.Core.Tests.Outlier;

public sealed class OutlierPropertyTests
{
    private enum Act
    {
        Succeed, SucceedSlowly, Error, Unanswered, Cut, Pass, Shrink, Retune,
    }

    private static readonly Gen<(Act Act, int Member, int Times)[]> Stories =
        Gen.Elements(Enum.GetValues<Act>()).SelectMany(act => Gen.Choose(0, 39).SelectMany(member => Gen.Choose(1, 60).Select(times => (act, member, times))))
            .ArrayOf().Resize(120);

    /// <summary>Whatever happens, in whatever order: outliers never over the cap of the moment, each ejection within its bounds, and everyone comes back in the end.</summary>
    [Fact]
    public void TheCapHolds_AndNobodyStaysOut() => Prop.ForAll(Stories.ToArbitrary(), Gen.Choose(1, 40).ToArbitrary(), Gen.Choose(1, 100).ToArbitrary(), (story, members, percent) =>
    {
        var passive = new PassiveSettings(3, TimeSpan.FromSeconds(10));
        OutlierSettings settings = new() { MaxEjectedPercent = percent, MinRequests = 5 };
        var rig = new OutlierRig(members, passive, settings);
        foreach ((Act act, int chosen, int times) in story)
        {
            int member = chosen % rig.Members.Length;
            switch (act)
            {
                case Act.Succeed: rig.Succeed(member, times); break;
                case Act.SucceedSlowly: rig.Succeed(member, times, 200); break;
                case Act.Error: rig.Error(member, times); break;
                case Act.Unanswered: rig.Unanswered(member, times); break;
                case Act.Cut: rig.Cut(member, times); break;
                case Act.Pass: rig.Pass(times); break;
                case Act.Shrink:
                    rig.Keep(Math.Max(1, rig.Members.Length - (times % 3)));
                    rig.Configure(passive, settings);
                    break;
                case Act.Retune:
                    settings = settings with { MaxEjectedPercent = 1 + ((settings.MaxEjectedPercent + times) % 100) };
                    rig.Configure(passive, settings);
                    break;
            }
            rig.Evaluate();
            int outliers = rig.Members.Count(m => m.Reason > EjectionReason.Unanswered);
            int cap = Math.Max(1, rig.Members.Length * settings.MaxEjectedPercent / 100);
            if (outliers > cap) return false;
        }
        if (rig.Decisions.Any(d => d.Step == EjectionStep.Ejected && (d.Length <= TimeSpan.Zero || d.Length > settings.MaxEjection))) return false;
        // Good answers from now on: a spared one may still go out once for what was before.
        for (int i = 0; i < 3; i++)
        {
            for (int member = 0; member < rig.Members.Length; member++) rig.Succeed(member, 200);
            rig.Pass(301);
        }
        return !rig.Out.Any();
    }).QuickCheckThrowOnFailure();
}
