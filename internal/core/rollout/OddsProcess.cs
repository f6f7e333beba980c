namespace Gateway.Core.Rollout;

/// <summary>
/// Evidence that one of two groups has more of something than the other, which may be looked at after every step: an e-process. If it does
/// not have more, the evidence ever reaches 1/alpha with a probability of at most alpha (Ville 1939), however the rates drift.
/// </summary>
/// <remarks>
/// A step is a 2×2 table, and is looked at given its margins: of N requests n are the candidate's, and K of all failed. If both fail alike,
/// the candidate's failures k are hypergeometric, whatever the rate is at the moment. The bet of a step is that the odds are θ times as
/// high (Fisher's noncentral hypergeometric; Turner, Ly and Grünwald, Generic E-variables for exact sequential k-sample tests, 2024): it
/// multiplies the evidence by θ^k / E[θ^k]. In place of the expectation stands the lesser of two bounds on it, those of Binomial(n, K/N)
/// and of Binomial(K, n/N) (Hoeffding 1963, theorem 4), which errs on the safe side and costs the same whatever the counts are. The evidence
/// is a mixture over several θ and over when the candidate became worse.
/// </remarks>
internal sealed class OddsProcess
{
    // From what is barely worse to what is broken.
    private static readonly double[] Odds = [1.5, 2, 3, 10, 100];

    private readonly EvidenceMixture _mixture = new(Odds.Length);

    /// <inheritdoc cref="EvidenceMixture.LogEvidence"/>
    public double LogEvidence => _mixture.LogEvidence;

    /// <param name="table">One in which the candidate could have had more.</param>
    public void Add(in Table table)
    {
        Span<double> factors = stackalloc double[Odds.Length];
        for (int i = 0; i < factors.Length; i++)
        {
            double extra = Odds[i] - 1;
            double bound = Math.Min(
                table.Candidate * EvidenceMixture.LogOnePlus(table.Failures / (double)table.Requests * extra),
                table.Failures * EvidenceMixture.LogOnePlus(table.Candidate / (double)table.Requests * extra));
            factors[i] = (table.CandidateFailures * Math.Log(Odds[i])) - bound;
        }
        _mixture.Add(factors);
    }
}
