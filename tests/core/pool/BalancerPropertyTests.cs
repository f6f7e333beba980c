using FsCheck;
using FsCheck.Fluent;
using Gateway.Core.Pool;

namespace Gateway.Core.Tests.Pool;

/// <summary>What holds for every balancer, whatever the members, their load and what was tried.</summary>
public sealed class BalancerPropertyTests
{
    private sealed record Case(BalancerKind Kind, double Bound, int[] Weights, int[] InFlight, bool[] Excluded, ulong Hash);

    // Many members are out, as when a zone is down, and the mask is dense, as when most were tried.
    private static readonly Gen<Case> Cases =
        from kind in Gen.Elements(Enum.GetValues<BalancerKind>())
        from bound in Gen.Elements(0.0, 1, 1.25, 3)
        from count in Gen.Choose(0, 150)
        from weights in Gen.Elements(0, 0, 1, 1, 2, 7, 65_535).ArrayOf(count)
        from load in Gen.Choose(0, 20).ArrayOf(count)
        from tried in Gen.Elements(false, false, false, true).ArrayOf(count)
        from hash in Gen.Choose(0, int.MaxValue)
        select new Case(kind, bound, weights, load, tried, StableHash.Of((ulong)hash, 1));

    [Fact]
    public void ThePick_IsAlwaysACandidate_AndThereIsOneWhereThereIsACandidate()
    {
        int picked = 0, empty = 0;
        Prop.ForAll(Cases.ToArbitrary(), c =>
        {
            BalancerMember[] members = [.. c.Weights.Select(static (w, i) => new BalancerMember(new EndpointLoad(), w, StableHash.Of((ulong)i, 9)))];
            for (int i = 0; i < members.Length; i++)
                for (int n = 0; n < c.InFlight[i]; n++) members[i].Load.Begin();
            Balancer balancer = Balancers.Create(new Balancing(c.Kind, c.Bound), members, PickRandom.Seeded(c.Hash), TimeProvider.System);
            int[] candidates = [.. Enumerable.Range(0, members.Length).Where(i => c.Weights[i] > 0 && !c.Excluded[i])];
            MemberSet excluded = default(MemberSet).With(c.Excluded.Length, c.Excluded, static (tried, i) => tried[i]);
            for (ulong turn = 0; turn < 20; turn++)
            {
                int pick = balancer.Pick(new PickContext(excluded, StableHash.Of(c.Hash, turn)));
                if (candidates.Length == 0 ? pick != -1 : !candidates.Contains(pick)) throw new InvalidOperationException($"{pick} is not of [{string.Join(", ", candidates)}]");
            }
            if (candidates.Length == 0) empty++;
            else picked++;
        }).Check(Config.QuickThrowOnFailure.WithMaxTest(1500));
        Assert.InRange(picked, 1000, 1500);
        Assert.InRange(empty, 10, 500);
    }

    [Theory]
    [InlineData(BalancerKind.LeastRequests)]
    [InlineData(BalancerKind.RoundRobin)]
    [InlineData(BalancerKind.Random)]
    [InlineData(BalancerKind.PeakEwma)]
    public void IdleMembers_AreSharedByWeight(BalancerKind kind)
    {
        const int Picks = 120_000;
        int[] weights = [1, 2, 3, 0, 6];
        Balancer balancer = Balancers.Create(new Balancing(kind), [.. weights.Select(static w => new BalancerMember(new EndpointLoad(), w))], PickRandom.Seeded(17), TimeProvider.System);
        int[] counts = new int[weights.Length];
        for (int i = 0; i < Picks; i++) counts[balancer.Pick(default)]++;
        Assert.Equal(0, counts[3]);
        // Chi-square with three degrees of freedom: 16.3 is passed by chance once in a thousand.
        double chi = weights.Select((w, i) => w == 0 ? 0 : Math.Pow(counts[i] - Picks * w / 12.0, 2) / (Picks * w / 12.0)).Sum();
        Assert.InRange(chi, 0, 16.3);
    }
}
