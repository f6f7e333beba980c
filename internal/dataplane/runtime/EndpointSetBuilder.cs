using Gateway.Core.Pool;

namespace Gateway.DataPlane.Runtime;

/// <summary>
/// Makes the set of a pool's endpoints as they are now: 1. what is known against each; 2. which levels get what share of the requests;
/// 3. whether so few are well that all of it must be ignored; 4. the weights of those that are used, and a balancer for each level.
/// </summary>
internal readonly ref struct EndpointSetBuilder
{
    /// <summary>
    /// Percent: a level of which 100/1.4 = 71% are healthy still takes all of its requests; with fewer, the next level takes a part
    /// (Envoy's overprovisioning factor 1.4).
    /// </summary>
    private const int Overprovisioning = 140;

    private readonly EndpointPlan _plan;
    private readonly EndpointModel[] _endpoints;
    private readonly EndpointStanding[] _standings;
    private readonly TimeProvider _time;

    private EndpointSetBuilder(EndpointPlan plan, EndpointModel[] endpoints, TimeProvider time)
    {
        _plan = plan;
        _endpoints = endpoints;
        _standings = Array.ConvertAll(endpoints, StandingOf);
        _time = time;
    }

    /// <param name="plan">How the pool chooses.</param>
    /// <param name="endpoints">Not changed later.</param>
    /// <param name="previous">The set that this one replaces, or null. Its balancers are taken over where they would be made the same, for one that starts anew forgets whose turn it is.</param>
    /// <param name="change">As <see cref="EndpointSet.Change"/>: read before this is called, so that no change of health is missed.</param>
    /// <param name="time">The clock of the requests' timestamps.</param>
    public static EndpointSet Build(EndpointPlan plan, EndpointModel[] endpoints, EndpointSet? previous, long change, TimeProvider time) =>
        new EndpointSetBuilder(plan, endpoints, time).Build(previous, change);

    private EndpointSet Build(EndpointSet? previous, long change)
    {
        int[] ranks = Ranks();
        int[] shares = Shares(ranks, out bool enough);
        // With several levels, what one lacks another has; that is what they are for.
        bool panic = !(enough && ranks.Length > 1) && IsPanic(ranks, shares);
        if (panic) ranks = [0];
        for (int i = 0; i < _standings.Length; i++)
        {
            StandingReason reason = _standings[i].Reason;
            if (panic) _standings[i] = new EndpointStanding(reason != StandingReason.NoWeight, reason);
            else if (reason == StandingReason.None && shares[Array.BinarySearch(ranks, _endpoints[i].Rank)] == 0) _standings[i] = new EndpointStanding(false, StandingReason.Standby);
        }

        int[] weights = Weights(out bool ramping, out int[]? ramps);
        List<EndpointLevel> levels = new(ranks.Length);
        int upTo = 0;
        for (int r = 0; r < ranks.Length; r++)
        {
            upTo += panic ? 100 : shares[r];
            BalancerMember[] members = new BalancerMember[_endpoints.Length];
            bool any = false;
            for (int i = 0; i < members.Length; i++)
            {
                bool belongs = panic || _endpoints[i].Rank == ranks[r];
                members[i] = new BalancerMember(_endpoints[i].State.Load, belongs ? weights[i] : 0, _endpoints[i].State.Id);
                any |= members[i].Weight > 0;
            }
            if (any) levels.Add(new EndpointLevel(upTo, BalancerOver(members, previous), members));
        }
        return new EndpointSet
        {
            Endpoints = _endpoints,
            Standings = _standings,
            Levels = [.. levels],
            Balancing = _plan.Balancing,
            IsPanic = panic,
            IsRamping = ramping,
            Ramps = ramps,
            Change = change,
            ByTag = _plan.AffinityCookie is null ? [] : Tags(),
        };
    }

    private Dictionary<string, int> Tags()
    {
        Dictionary<string, int> tags = new(_endpoints.Length, StringComparer.Ordinal);
        for (int i = 0; i < _endpoints.Length; i++)
        {
            if (_endpoints[i].Tag is { } tag) tags.TryAdd(tag.Value, i);
        }
        return tags;
    }

    private static EndpointStanding StandingOf(EndpointModel endpoint)
    {
        EndpointFaults faults = endpoint.State.Health.Faults;
        StandingReason reason = endpoint.Weight == 0 ? StandingReason.NoWeight
            : (faults & EndpointFaults.Ejected) != 0 ? StandingReason.Ejected
            : (faults & EndpointFaults.ProbeFailed) != 0 ? StandingReason.ProbeFailed
            : (faults & EndpointFaults.Unprobed) != 0 ? StandingReason.Unprobed
            : StandingReason.None;
        return new EndpointStanding(reason == StandingReason.None, reason);
    }

    private int[] Ranks()
    {
        SortedSet<int> ranks = [];
        for (int i = 0; i < _endpoints.Length; i++)
        {
            if (_standings[i].Reason != StandingReason.NoWeight) ranks.Add(_endpoints[i].Rank);
        }
        return [.. ranks];
    }

    private (int All, int Healthy) Count(int rank)
    {
        int all = 0, healthy = 0;
        for (int i = 0; i < _endpoints.Length; i++)
        {
            if (_endpoints[i].Rank != rank || _standings[i].Reason == StandingReason.NoWeight) continue;
            all++;
            if (_standings[i].IsUsed) healthy++;
        }
        return (all, healthy);
    }

    /// <summary>Percent of the requests for each level, 100 together: the first takes what it can, the next what is left, and so on.</summary>
    /// <param name="enough">All together can take all of it.</param>
    private int[] Shares(int[] ranks, out bool enough)
    {
        int[] shares = new int[ranks.Length];
        int total = 0;
        for (int r = 0; r < ranks.Length; r++)
        {
            (int all, int healthy) = Count(ranks[r]);
            shares[r] = (int)Math.Min(100 - total, (((long)healthy * Overprovisioning) + all - 1) / all);
            total += shares[r];
        }
        enough = total == 100;
        if (total is 0 or 100) return shares;
        // All levels together cannot take it all; each gets its part of what there is.
        int before = 0, given = 0;
        for (int r = 0; r < ranks.Length; r++)
        {
            before += shares[r];
            shares[r] = (100 * before / total) - given;
            given += shares[r];
        }
        return shares;
    }

    /// <summary>Among the levels that would get requests, fewer than the threshold are healthy.</summary>
    private bool IsPanic(int[] ranks, int[] shares)
    {
        bool none = !shares.AsSpan().ContainsAnyExcept(0);
        int all = 0, healthy = 0;
        for (int r = 0; r < ranks.Length; r++)
        {
            if (shares[r] == 0 && !none) continue;
            (int ofLevel, int well) = Count(ranks[r]);
            all += ofLevel;
            healthy += well;
        }
        return healthy * 100L < (long)all * _plan.PanicThreshold;
    }

    /// <summary>The weights of the endpoints that may be picked; in hundredths while some are ramped up and others not.</summary>
    /// <param name="ramping">An endpoint has less than its weight by its age, and will have more.</param>
    /// <param name="ramps">As <see cref="EndpointSet.Ramps"/>.</param>
    private int[] Weights(out bool ramping, out int[]? ramps)
    {
        int[] weights = new int[_endpoints.Length];
        int[] percents = new int[_endpoints.Length];
        int least = 100, most = 0;
        long now = _time.GetTimestamp();
        for (int i = 0; i < weights.Length; i++)
        {
            if (!_standings[i].IsUsed && _standings[i].Reason != StandingReason.Standby) continue;
            weights[i] = _endpoints[i].Weight;
            percents[i] = _plan.SlowStart == TimeSpan.Zero ? 100 : _endpoints[i].State.RampPercent(_plan.SlowStart, now, _time);
            least = Math.Min(least, percents[i]);
            most = Math.Max(most, percents[i]);
        }
        ramping = least < 100 && most > 0;
        // All at the same point, as when the process has just started: then their weights are what they always are to each other.
        ramps = ramping && least != most ? percents : null;
        if (ramps is not null)
        {
            for (int i = 0; i < weights.Length; i++) weights[i] *= percents[i];
        }
        return weights;
    }

    private Balancer BalancerOver(BalancerMember[] members, EndpointSet? previous)
    {
        if (previous is not null && previous.Balancing == _plan.Balancing)
        {
            foreach (EndpointLevel level in previous.Levels)
            {
                if (members.AsSpan().SequenceEqual(level.Members)) return level.Balancer;
            }
        }
        return Balancers.Create(_plan.Balancing, members, PickRandom.PerThread, _time);
    }
}
