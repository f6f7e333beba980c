namespace Gateway.Core.Rollout;

/// <summary>
/// Says whether the candidate has more of something than what is beside it, wrongly with a probability of at most alpha however often it is
/// asked. Two tests share alpha (Bonferroni): one that finds what is broken within a few requests and never ends, and one that is sharp at
/// its horizon.
/// </summary>
internal sealed class ComparisonTest(double alpha) : IGateTest
{
    // The sharp one needs it more: evidence grows with every failure, so a twenty-fifth of alpha is one failure more.
    private const double OfOdds = 0.04;

    private readonly OddsProcess _odds = new();
    private readonly SpendingTest _spending = new(alpha * (1 - OfOdds));

    /// <summary>All steps together.</summary>
    public Table Sum { get; private set; }

    /// <summary>The candidate's failures if they had been as frequent as the others', summed over steps.</summary>
    public double Expected { get; private set; }

    public double LogEvidence => _odds.LogEvidence;

    public double PValue => _spending.PValue;

    public double Excess => Sum.CandidateFailures - Expected;

    /// <summary>The candidate is worse. Stays so.</summary>
    public bool IsWorse { get; private set; }

    public void Add(in Table table)
    {
        Sum = Table.Of(Sum.Candidate + table.Candidate, Sum.CandidateFailures + table.CandidateFailures, Sum.Stable + table.Stable, Sum.StableFailures + table.StableFailures);
        if (table.Candidate == 0 || table.Stable == 0) return;
        Expected += table.Expected;
        if (table.Tells)
        {
            _odds.Add(table);
            if (_odds.LogEvidence >= -Math.Log(alpha * OfOdds)) IsWorse = true;
        }
        if (!IsWorse && !_spending.IsOver && _spending.Add(table)) IsWorse = true;
    }
}
