using System.Runtime.CompilerServices;
using Gateway.Core.Pool;

namespace Gateway.DataPlane.Runtime;

/// <summary>Why an endpoint is not used, or what is held against it although it is.</summary>
internal enum StandingReason : byte
{
    None,

    /// <summary>Its weight is 0.</summary>
    NoWeight,
    ProbeFailed,
    Ejected,

    /// <summary>Its first probe has not ended.</summary>
    Unprobed,

    /// <summary>Nothing is wrong with it: endpoints of a better priority or a nearer zone are enough.</summary>
    Standby,
}

/// <summary>Whether requests may go to an endpoint, and why not. Used in spite of a reason: the pool is in panic.</summary>
internal readonly record struct EndpointStanding(bool IsUsed, StandingReason Reason);

/// <summary>The usable endpoints of one priority and distance.</summary>
/// <param name="UpTo">Percent of the requests that go to it and the levels before it together.</param>
/// <param name="Balancer">Picks an index into the set's endpoints: those of other levels, and those not used, have weight 0 in it.</param>
/// <param name="Members">What the balancer was built with.</param>
internal sealed record EndpointLevel(int UpTo, Balancer Balancer, BalancerMember[] Members);

/// <summary>
/// The endpoints of a pool as they are at one moment, with balancers over those that are used. Immutable: a change of health or of the
/// endpoints makes another one, which <see cref="PoolModel.Current"/> then gives. A request reads it once per attempt.
/// </summary>
internal sealed class EndpointSet
{
    // Apart from what balancers make of a hash, so that a level's keys are not all of one part of a table.
    private const ulong LevelSalt = 0x4c65766c;

    private static readonly Dictionary<string, int> NoTags = [];

    /// <summary>All of them, used or not. <see cref="PickContext.Excluded"/> goes by its indexes.</summary>
    public required EndpointModel[] Endpoints { get; init; }

    /// <summary>Of <see cref="Endpoints"/>, by index.</summary>
    public required EndpointStanding[] Standings { get; init; }

    /// <summary>From the best; those that get no requests now stand in when all of the others were tried. Empty when there is nobody to pick.</summary>
    public required EndpointLevel[] Levels { get; init; }

    public required Balancing Balancing { get; init; }

    /// <summary>Indexes of <see cref="Endpoints"/> by their tags; empty without affinity.</summary>
    public Dictionary<string, int> ByTag { get; init; } = NoTags;

    /// <summary>So few are healthy that health is ignored, lest those few drown in what was meant for all.</summary>
    public bool IsPanic { get; init; }

    /// <summary>An endpoint has less than its weight because it is new or has just recovered, and will have more.</summary>
    public bool IsRamping { get; init; }

    /// <summary>Percent of its weight that each has now, by index; null when all have the whole. 0 for one that is not used.</summary>
    public int[]? Ramps { get; init; }

    /// <summary>The <see cref="PoolState.Changes"/> that it takes account of.</summary>
    public long Change { get; init; }

    /// <summary>An endpoint for the next attempt; null when there is none.</summary>
    public EndpointModel? Pick(in PickContext context)
    {
        if (Levels.Length == 1)
        {
            int index = Levels[0].Balancer.Pick(context);
            return index < 0 ? null : Endpoints[index];
        }
        return Levels.Length == 0 ? null : PickByLevel(context);
    }

    /// <summary>
    /// <see cref="Pick"/> among those that have room for one more request, which is counted in: the caller counts it out with
    /// <see cref="PoolModel.Leave"/>. Null when there is none, or none has room.
    /// </summary>
    /// <param name="context">As for <see cref="Pick"/>.</param>
    /// <param name="most">Requests that one may have at once; 0 for as many as come.</param>
    public EndpointModel? Take(in PickContext context, int most)
    {
        EndpointModel? picked = Pick(context);
        return picked is null || picked.State.Load.TryBegin(most) ? picked : TakeWithRoom(context, most);
    }

    // Some are full: rare where the bound is well chosen, so it may look at every endpoint.
    [MethodImpl(MethodImplOptions.NoInlining)]
    private EndpointModel? TakeWithRoom(in PickContext context, int most)
    {
        // What is seen free others may take first.
        for (int attempt = 0; attempt < 3; attempt++)
        {
            MemberSet full = context.Excluded.With(Endpoints.Length, (Endpoints, most), static (of, i) => of.Endpoints[i].State.Load.InFlight >= of.most);
            if (Pick(context with { Excluded = full }) is not { } picked) break;
            if (picked.State.Load.TryBegin(most)) return picked;
        }
        // Always too late: whoever has room, from a random one on.
        int start = (int)(PickRandom.PerThread.Next() % (ulong)Endpoints.Length);
        for (int i = 0; i < Endpoints.Length; i++)
        {
            int index = (start + i) % Endpoints.Length;
            if (MayBeTaken(index, context.Excluded) && Endpoints[index].State.Load.TryBegin(most)) return Endpoints[index];
        }
        return null;
    }

    // One that stands by is well.
    private bool MayBeTaken(int index, in MemberSet excluded) =>
        (Standings[index].IsUsed || Standings[index].Reason == StandingReason.Standby) && !excluded.Contains(index);

    /// <summary>The endpoint that an affinity cookie names, if requests may go to it; null otherwise.</summary>
    /// <param name="tag">As the client sent it.</param>
    /// <param name="excluded">As <see cref="PickContext.Excluded"/>.</param>
    public EndpointModel? Tagged(ReadOnlySpan<char> tag, in MemberSet excluded)
    {
        if (!ByTag.GetAlternateLookup<ReadOnlySpan<char>>().TryGetValue(tag, out int index)) return null;
        return MayBeTaken(index, excluded) ? Endpoints[index] : null;
    }

    private EndpointModel? PickByLevel(in PickContext context)
    {
        // A key stays with its level, as it stays with its endpoint.
        ulong drawn = Math.BigMul(Balancing.IsByHash ? StableHash.Of(context.Hash, LevelSalt) : PickRandom.PerThread.Next(), 100, out _);
        int own = 0;
        while (own < Levels.Length - 1 && drawn >= (ulong)Levels[own].UpTo) own++;
        for (int i = -1; i < Levels.Length; i++)
        {
            if (i == own) continue;
            int index = Levels[i < 0 ? own : i].Balancer.Pick(context);
            if (index >= 0) return Endpoints[index];
        }
        return null;
    }

    /// <summary>The index of an endpoint, as <see cref="MemberSet.With(int)"/> takes it; -1 when it is not in the set any more.</summary>
    public int IndexOf(EndpointState endpoint)
    {
        for (int i = 0; i < Endpoints.Length; i++)
        {
            if (ReferenceEquals(Endpoints[i].State, endpoint)) return i;
        }
        return -1;
    }
}
