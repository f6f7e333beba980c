namespace Gateway.Core.Rollout;

/// <summary>What a gate has found of a route, or of all requests.</summary>
internal interface IGateTest
{
    /// <summary>The candidate is worse. Stays so.</summary>
    bool IsWorse { get; }

    /// <summary>The natural logarithm of how much more likely it is that it is worse.</summary>
    double LogEvidence { get; }

    /// <summary>The chance of seeing as much by now of a candidate that is no worse.</summary>
    double PValue { get; }

    /// <summary>How many more of the candidate's requests are bad than should be.</summary>
    double Excess { get; }
}
