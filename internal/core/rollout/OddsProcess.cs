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
/// is a mixture over several θ and over when the candidate became worse: so a candidate that breaks after an hour of being well is found as
/// soon as one that is broken from the start, but for a few failures.
/// </remarks>
internal sealed class OddsProcess
{
    // From what is barely worse to what is broken.
    private static readonly double[] Odds = [1.5, 2, 3, 10, 100];

    private readonly double[] _log = new double[Odds.Length];
    private long _steps;

    public OddsProcess() => Array.Fill(_log, double.NegativeInfinity);

    /// <summary>The natural logarithm of the evidence; 0 before the first step.</summary>
    public double LogEvidence { get; private set; }

    /// <param name="table">One in which the candidate could have had more.</param>
    public void Add(in Table table)
    {
        _steps++;
        // The weights of all starts together are 1: 1/2, 1/6, 1/12, … What is yet to start stands by with 1.
        double start = -Math.Log(_steps) - Math.Log(_steps + 1.0), waiting = -Math.Log(_steps + 1.0);
        double most = double.NegativeInfinity;
        for (int i = 0; i < Odds.Length; i++)
        {
            double extra = Odds[i] - 1;
            double bound = Math.Min(
                table.Candidate * LogOnePlus(table.Failures / (double)table.Requests * extra),
                table.Failures * LogOnePlus(table.Candidate / (double)table.Requests * extra));
            _log[i] = LogSum(_log[i], start) + (table.CandidateFailures * Math.Log(Odds[i])) - bound;
            most = Math.Max(most, _log[i]);
        }
        double sum = 0;
        foreach (double log in _log) sum += Math.Exp(log - most);
        LogEvidence = LogSum(most + Math.Log(sum / Odds.Length), waiting);
    }

    private static double LogSum(double a, double b)
    {
        double high = Math.Max(a, b), low = Math.Min(a, b);
        return double.IsNegativeInfinity(low) ? high : high + LogOnePlus(Math.Exp(low - high));
    }

    // Exact enough for any x over 0: what is lost of a small x is made up for by the quotient (Kahan).
    private static double LogOnePlus(double x)
    {
        double sum = 1 + x;
        return sum == 1 ? x : Math.Log(sum) * (x / (sum - 1));
    }
}
