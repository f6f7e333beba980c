using Gateway.Core.Pool;

namespace Gateway.DataPlane.Runtime;

/// <summary>
/// Makes the set of a pool's endpoints as they are now: 1. what is known against each; 2. whether so few are well that it must be ignored;
/// 3. the weights of those that are used, and a balancer over them.
/// </summary>
internal static class EndpointSetBuilder
{
    /// <param name="plan">How the pool chooses.</param>
    /// <param name="endpoints">Not changed later.</param>
    /// <param name="previous">The set that this one replaces, or null. Its balancer is taken over when it would be made the same, for one that starts anew forgets whose turn it is.</param>
    /// <param name="change">As <see cref="EndpointSet.Change"/>: read before this is called, so that no change of health is missed.</param>
    /// <param name="time">The clock of the requests' timestamps.</param>
    public static EndpointSet Build(EndpointPlan plan, EndpointModel[] endpoints, EndpointSet? previous, long change, TimeProvider time)
    {
        EndpointStanding[] standings = Array.ConvertAll(endpoints, StandingOf);
        bool panic = IsPanic(standings, plan.PanicThreshold);
        var members = new BalancerMember[endpoints.Length];
        for (int i = 0; i < endpoints.Length; i++)
        {
            if (panic && standings[i].Reason != StandingReason.NoWeight) standings[i] = standings[i] with { IsUsed = true };
            members[i] = new BalancerMember(endpoints[i].State.Load, standings[i].IsUsed ? endpoints[i].Weight : 0, endpoints[i].State.Id);
        }
        bool same = previous is not null && previous.Balancing == plan.Balancing && members.AsSpan().SequenceEqual(previous.Members);
        return new EndpointSet
        {
            Endpoints = endpoints,
            Standings = standings,
            IsPanic = panic,
            Change = change,
            Balancing = plan.Balancing,
            Members = members,
            Balancer = same ? previous!.Balancer : Balancers.Create(plan.Balancing, members, PickRandom.PerThread, time),
        };
    }

    private static EndpointStanding StandingOf(EndpointModel endpoint)
    {
        EndpointFaults faults = endpoint.State.Health.Faults;
        StandingReason reason = endpoint.Weight == 0 ? StandingReason.NoWeight
            : (faults & EndpointFaults.Ejected) != 0 ? StandingReason.Ejected
            : (faults & EndpointFaults.ProbeFailed) != 0 ? StandingReason.ProbeFailed
            : StandingReason.None;
        return new EndpointStanding(reason == StandingReason.None, reason);
    }

    private static bool IsPanic(EndpointStanding[] standings, int threshold)
    {
        int all = 0, healthy = 0;
        foreach (EndpointStanding standing in standings)
        {
            if (standing.Reason == StandingReason.NoWeight) continue;
            all++;
            if (standing.IsUsed) healthy++;
        }
        return healthy * 100L < (long)all * threshold;
    }
}
