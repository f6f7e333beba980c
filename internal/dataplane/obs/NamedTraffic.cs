using System.Text;

namespace Gateway.DataPlane.Obs;

/// <summary>
/// All routes, or all pools, that count: the busiest are exported by name, the rest as <c>other</c>. A member that is not named has its
/// counts moved into <c>other</c> at each scrape; one that is named keeps them. So a promotion takes nothing out of <c>other</c>, a demotion
/// moves the named part there for good, no series ever goes down while it is exported, and the sum over all series is exact.
/// Not thread safe: <see cref="GatewayMetrics"/> holds its lock.
/// </summary>
internal sealed class NamedTraffic(StripeBudget budget)
{
    /// <summary>The label value of everything without a name of its own; a member called so is part of it.</summary>
    public const string Other = "other";

    internal sealed class Member(string name, TrafficCounts counts)
    {
        public string Name { get; } = name;
        public TrafficCounts Counts { get; } = counts;
        public int Holders { get; set; }
        public bool Named { get; set; }

        /// <summary>What is exported; of named members only.</summary>
        public long[]? Cells { get; set; }
        public byte[]? Label { get; set; }
        public int Series { get; set; }

        /// <summary>Requests of late, each scrape's weighing half of the next one's.</summary>
        public double Activity { get; set; }
        public long TotalBefore { get; set; }
    }

    // Counts of members that have left wait for a scrape, or for this many more to leave: nobody need scrape.
    private const int MaxLeft = 1024;

    // A newcomer must be this much busier than a named one to take its name: a name that comes and goes is no use to a graph.
    private const double Incumbency = 4;

    private readonly Dictionary<string, Member> _members = new(StringComparer.Ordinal);
    private readonly List<Member> _named = [];
    private readonly List<Member> _ranking = [];
    private List<TrafficCounts> _left = [];
    private List<TrafficCounts> _leftBefore = [];
    private readonly TrafficCounts _late = new(budget);

    /// <summary>What is exported as <see cref="Other"/>. Never goes down.</summary>
    public long[] OtherCells { get; } = new long[TrafficCounts.Cells];

    public IReadOnlyList<Member> Named => _named;

    /// <summary>Series of all members together if each had its name; known after <see cref="Survey"/>.</summary>
    public int Wanted { get; private set; }

    /// <summary>
    /// From now on <paramref name="counts"/> are exported. Returns the counts to record into: those that the name has already, when another
    /// holder brought it (a route taken out and put back while requests still run), so that the series goes on.
    /// </summary>
    public TrafficCounts Attach(string name, TrafficCounts counts)
    {
        if (!_members.TryGetValue(name, out Member? member)) _members.Add(name, member = new Member(name, counts));
        member.Holders++;
        if (ReferenceEquals(member.Counts, counts)) return counts;
        counts.Read(OtherCells, take: true);
        return member.Counts;
    }

    /// <summary>
    /// The last holder of a name ends its export: what was counted moves into <see cref="Other"/>. Returns where late records go. A named
    /// member stays until the next scrape, so that a route taken out and put back between two of them does not seem to start anew.
    /// </summary>
    public TrafficCounts Detach(string name)
    {
        Member member = _members[name];
        if (--member.Holders > 0) return member.Counts;
        if (!member.Named) Remove(member);
        return _late;
    }

    private void Remove(Member member)
    {
        _members.Remove(member.Name);
        member.Counts.Read(OtherCells, take: true);
        _left.Add(member.Counts);
        if (_left.Count >= MaxLeft) FoldLeft();
    }

    /// <summary>
    /// A recorder that had read its counts just before they were replaced may still write to them: they are emptied once more at each of
    /// the two scrapes that follow. A thread that sleeps longer than that between two instructions loses one count.
    /// </summary>
    private void FoldLeft()
    {
        foreach (TrafficCounts counts in _left) counts.Read(OtherCells, take: true);
        foreach (TrafficCounts counts in _leftBefore)
        {
            counts.Read(OtherCells, take: true);
            counts.ReturnStripes();
        }
        (_left, _leftBefore) = (_leftBefore, _left);
        _left.Clear();
    }

    /// <summary>Finds out how busy each member is and how many series it would be.</summary>
    public void Survey()
    {
        FoldLeft();
        _late.Read(OtherCells, take: true);
        foreach (Member member in _named)
        {
            if (member.Holders == 0) Remove(member);
        }

        Wanted = 0;
        foreach (Member member in _members.Values)
        {
            long total;
            if (member.Named)
            {
                Array.Clear(member.Cells!);
                member.Counts.Read(member.Cells, take: false);
                member.Series = TrafficCounts.SeriesOf(member.Cells);
                total = Total(member.Cells);
            }
            else
            {
                total = member.Counts.Survey(out int series);
                member.Series = series;
            }
            member.Activity = (member.Activity / 2) + Math.Max(0, total - member.TotalBefore);
            member.TotalBefore = total;
            if (member.Name != Other) Wanted += member.Series;
        }
    }

    /// <summary>Gives names as far as <paramref name="series"/> go, moves the counts of all others into <see cref="Other"/>, and returns how many series the named are.</summary>
    public int Choose(int series)
    {
        _ranking.Clear();
        foreach (Member member in _members.Values)
        {
            if (member.Series != 0 && member.Name != Other) _ranking.Add(member);
        }
        if (Wanted > series) _ranking.Sort(static (a, b) => Rank(b).CompareTo(Rank(a)));

        _named.Clear();
        int used = 0;
        foreach (Member member in _ranking)
        {
            bool named = used + member.Series <= series && (member.Named || Promote(member, series - used));
            if (named)
            {
                used += member.Series;
                _named.Add(member);
            }
            else if (member.Named)
            {
                member.Named = false;
                member.Cells = null;
                member.Label = null;
            }
        }
        foreach (Member member in _members.Values)
        {
            if (member.Named || member.Series == 0) continue;
            member.Counts.Read(OtherCells, take: true);
            member.TotalBefore = 0;
        }
        return used;
    }

    /// <summary>Its counts may have grown since the survey, even past what is left: then it waits for the next scrape.</summary>
    private static bool Promote(Member member, int left)
    {
        long[] cells = new long[TrafficCounts.Cells];
        member.Counts.Read(cells, take: false);
        int series = TrafficCounts.SeriesOf(cells);
        if (series > left) return false;
        member.Cells = cells;
        member.Series = series;
        member.TotalBefore = Total(cells);
        member.Label = Encoding.UTF8.GetBytes(Exposition.Escape(member.Name));
        return member.Named = true;
    }

    // Named members at rest stay before newcomers at rest.
    private static double Rank(Member member) => member.Named ? (member.Activity * Incumbency) + double.Epsilon : member.Activity;

    private static long Total(ReadOnlySpan<long> cells)
    {
        long total = 0;
        foreach (long n in cells[..TrafficCounts.Outcomes]) total += n;
        foreach (long n in cells[TrafficCounts.CategoriesAt..]) total += n;
        return total;
    }
}
