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
}

/// <summary>Whether requests may go to an endpoint, and why not. Used in spite of a reason: the pool is in panic.</summary>
internal readonly record struct EndpointStanding(bool IsUsed, StandingReason Reason);

/// <summary>
/// The endpoints of a pool as they are at one moment, with a balancer over those that are used. Immutable: a change of health or of the
/// endpoints makes another one, which <see cref="PoolModel.Current"/> then gives. A request reads it once per attempt.
/// </summary>
internal sealed class EndpointSet
{
    /// <summary>All of them, used or not. The bits of <see cref="PickContext.Excluded"/> are its indexes.</summary>
    public required EndpointModel[] Endpoints { get; init; }

    /// <summary>Of <see cref="Endpoints"/>, by index.</summary>
    public required EndpointStanding[] Standings { get; init; }

    /// <summary>So few are healthy that health is ignored, lest those few drown in what was meant for all.</summary>
    public bool IsPanic { get; init; }

    /// <summary>The <see cref="PoolState.Changes"/> that it takes account of.</summary>
    public long Change { get; init; }

    /// <summary>Picks an index into <see cref="Endpoints"/>: those that are not used have weight 0 in it.</summary>
    public required Balancer Balancer { get; init; }

    /// <summary>What <see cref="Balancer"/> was built with.</summary>
    public required Balancing Balancing { get; init; }

    public required BalancerMember[] Members { get; init; }

    /// <summary>An endpoint for the next attempt; null when there is none.</summary>
    public EndpointModel? Pick(in PickContext context)
    {
        int index = Balancer.Pick(context);
        return index < 0 ? null : Endpoints[index];
    }

    /// <summary>The bit of an endpoint in <see cref="PickContext.Excluded"/>; 0 when it is not in the set any more, or beyond the mask.</summary>
    public ulong BitOf(EndpointState endpoint)
    {
        for (int i = 0; i < Endpoints.Length && i < 64; i++)
        {
            if (ReferenceEquals(Endpoints[i].State, endpoint)) return 1UL << i;
        }
        return 0;
    }
}
