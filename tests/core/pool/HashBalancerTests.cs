using Gateway.Core.Pool;

namespace Gateway.Core.Tests.Pool;

/// <summary>Maglev and the ring: shares, what moves when members come and go, and the bound on load.</summary>
public sealed class HashBalancerTests
{
    private const int Keys = 200_000;

    private static BalancerMember Member(int id, int weight = 1) => new(new EndpointLoad(), weight, StableHash.Of($"10.0.0.{id}:8080"));

    private static BalancerMember[] Members(int count) => [.. Enumerable.Range(0, count).Select(static i => Member(i))];

    private static HashBalancer Create(BalancerKind kind, BalancerMember[] members, double bound = 0) =>
        (HashBalancer)Balancers.Create(new Balancing(kind, bound), members, PickRandom.Seeded(1), TimeProvider.System);

    private static ulong Key(int i) => StableHash.Of($"user-{i}");

    private static ulong[] Owners(HashBalancer balancer, BalancerMember[] members, int keys = Keys) =>
        [.. Enumerable.Range(0, keys).Select(i => members[balancer.Pick(new PickContext(0, Key(i)))].Id)];

    // Of a member's due share, at most. Maglev's table is even to a place; the ring's points are 160 random ones for each member, whose
    // total has a standard deviation of 8%, of which 3.5 for the worst of sixteen.
    [Theory]
    [InlineData(BalancerKind.Maglev, 0.06)]
    [InlineData(BalancerKind.RingHash, 0.28)]
    public void Shares_FollowTheWeights(BalancerKind kind, double tolerance)
    {
        BalancerMember[] members = [.. Enumerable.Range(0, 16).Select(static i => Member(i, 1 + (i % 3)))];
        Dictionary<ulong, int> counts = Owners(Create(kind, members), members).CountBy(static o => o).ToDictionary();
        foreach (BalancerMember member in members)
        {
            double due = (double)Keys * member.Weight / members.Sum(static m => m.Weight);
            Assert.Equal(due, counts[member.Id], due * tolerance);
        }
    }

    [Theory]
    [InlineData(BalancerKind.Maglev, 5)]
    [InlineData(BalancerKind.Maglev, 20)]
    [InlineData(BalancerKind.RingHash, 5)]
    [InlineData(BalancerKind.RingHash, 20)]
    public void AMemberThatLeaves_MovesItsOwnKeys_AndFewOthers(BalancerKind kind, int count)
    {
        BalancerMember[] before = Members(count);
        ulong[] owners = Owners(Create(kind, before), before);
        for (int gone = 0; gone < count; gone += count / 5)
        {
            BalancerMember[] after = [.. before.Where((_, i) => i != gone)];
            ulong[] then = Owners(Create(kind, after), after);
            double moved = owners.Zip(then).Count(static o => o.First != o.Second) / (double)Keys;
            Assert.InRange(moved, 0.5 / count, 1.0 / count + 0.05);
            double others = owners.Zip(then).Count(o => o.First != before[gone].Id && o.First != o.Second) / (double)Keys;
            Assert.InRange(others, 0, kind == BalancerKind.RingHash ? 0 : 0.03);
        }
    }

    [Theory]
    [InlineData(BalancerKind.Maglev)]
    [InlineData(BalancerKind.RingHash)]
    public void AMemberThatIsNotUsed_CountsAsGone(BalancerKind kind)
    {
        // Health takes a member out by weight 0 in the same place; the rest must own what they own when it is not listed.
        BalancerMember[] listed = Members(8);
        BalancerMember[] without = [.. listed.Where(static (_, i) => i != 3)];
        listed[3] = listed[3] with { Weight = 0 };
        Assert.Equal(Owners(Create(kind, without), without, 5000), Owners(Create(kind, listed), listed, 5000));
    }

    [Theory]
    [InlineData(BalancerKind.Maglev)]
    [InlineData(BalancerKind.RingHash)]
    public void OtherOrder_OtherProcess_SameOwners(BalancerKind kind)
    {
        BalancerMember[] members = Members(7), reversed = [.. members.Reverse()];
        ulong[] owners = Owners(Create(kind, members), members, 20_000), others = Owners(Create(kind, reversed), reversed, 20_000);
        Assert.Equal(owners, others);
        Assert.Equal(9907914752021268419UL, StableHash.Of("10.0.0.1:8080"));
    }

    [Theory]
    [InlineData(BalancerKind.Maglev)]
    [InlineData(BalancerKind.RingHash)]
    public void ATriedMember_IsPassedOver_TheSameWayForTheSameKey(BalancerKind kind)
    {
        BalancerMember[] members = Members(6);
        HashBalancer balancer = Create(kind, members);
        HashSet<int> seconds = [];
        for (int i = 0; i < 500; i++)
        {
            int first = balancer.Pick(new PickContext(0, Key(i)));
            int second = balancer.Pick(new PickContext(1UL << first, Key(i)));
            Assert.NotEqual(first, second);
            Assert.Equal(second, balancer.Pick(new PickContext(1UL << first, Key(i))));
            if (first == 0) seconds.Add(second);
        }
        // What one passes on is shared by all the others.
        Assert.Equal([1, 2, 3, 4, 5], seconds.Order());
    }

    [Theory]
    [InlineData(BalancerKind.Maglev, 1.0)]
    [InlineData(BalancerKind.Maglev, 1.25)]
    [InlineData(BalancerKind.RingHash, 1.25)]
    [InlineData(BalancerKind.RingHash, 2)]
    public void OneKeyOfAll_GoesNoFurtherThanTheBound(BalancerKind kind, double bound)
    {
        BalancerMember[] members = [.. Enumerable.Range(0, 10).Select(static i => Member(i, i < 5 ? 1 : 3))];
        HashBalancer balancer = Create(kind, members, bound);
        for (int placed = 0; placed < 2000; placed++)
        {
            int picked = balancer.Pick(new PickContext(0, Key(0)));
            members[picked].Load.Begin();
            Assert.InRange(members[picked].Load.InFlight, 1, Math.Ceiling(bound * (placed + 1) * members[picked].Weight / 20));
        }
        // Without a bound they all go to one.
        BalancerMember[] free = Members(10);
        HashBalancer unbounded = Create(kind, free);
        for (int i = 0; i < 100; i++) free[unbounded.Pick(new PickContext(0, Key(0)))].Load.Begin();
        Assert.Equal(100, free.Max(static m => m.Load.InFlight));
    }

    [Fact]
    public void TheBoundYields_WhenAllElseIsExcluded()
    {
        BalancerMember[] members = Members(3);
        HashBalancer balancer = Create(BalancerKind.Maglev, members, 1);
        for (int i = 0; i < 50; i++) members[2].Load.Begin();
        Assert.Equal(2, balancer.Pick(new PickContext(0b011, Key(1))));
    }

    [Fact]
    public void NearKeys_HashFarApart()
    {
        // Chi-square over 256 cells of sequential keys, top and bottom byte: 99.9% of random functions are below 330.
        foreach (int shift in new[] { 0, 28, 56 })
        {
            int[] cells = new int[256];
            for (int i = 0; i < 100_000; i++) cells[(int)(StableHash.Of($"session-{i:x6}") >> shift & 0xff)]++;
            double due = 100_000 / 256.0;
            Assert.InRange(cells.Sum(c => (c - due) * (c - due) / due), 150, 330);
        }
        Assert.NotEqual(StableHash.Of("a"), StableHash.Of("a\0"));
        Assert.NotEqual(StableHash.Of(""), StableHash.Of("\0"));
    }
}
