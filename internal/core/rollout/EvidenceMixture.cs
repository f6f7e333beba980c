namespace Gateway.Core.Rollout;

/// <summary>
/// Several bets on the same question, mixed with equal weights, and each over when it began to hold: so what breaks after an hour of being
/// well is found as soon as what is broken from the start, but for a few requests. Where no bet gains on average, the mixture ever reaches
/// 1/alpha with a probability of at most alpha (Ville 1939).
/// </summary>
internal sealed class EvidenceMixture
{
    private readonly double[] _log;
    private long _steps;

    public EvidenceMixture(int bets)
    {
        _log = new double[bets];
        Array.Fill(_log, double.NegativeInfinity);
    }

    /// <summary>The natural logarithm of the evidence; 0 before the first step.</summary>
    public double LogEvidence { get; private set; }

    /// <param name="factors">The logarithm of what each bet multiplies its evidence by at this step.</param>
    public void Add(ReadOnlySpan<double> factors)
    {
        _steps++;
        // The weights of all starts together are 1: 1/2, 1/6, 1/12, … What is yet to start stands by with 1.
        double start = -Math.Log(_steps) - Math.Log(_steps + 1.0), waiting = -Math.Log(_steps + 1.0);
        double most = double.NegativeInfinity;
        for (int i = 0; i < _log.Length; i++)
        {
            _log[i] = LogSum(_log[i], start) + factors[i];
            most = Math.Max(most, _log[i]);
        }
        double sum = 0;
        foreach (double log in _log) sum += Math.Exp(log - most);
        LogEvidence = LogSum(most + Math.Log(sum / _log.Length), waiting);
    }

    /// <summary>Exact enough for any x over 0: what is lost of a small x is made up for by the quotient (Kahan).</summary>
    public static double LogOnePlus(double x)
    {
        double sum = 1 + x;
        return sum == 1 ? x : Math.Log(sum) * (x / (sum - 1));
    }

    private static double LogSum(double a, double b)
    {
        double high = Math.Max(a, b), low = Math.Min(a, b);
        return double.IsNegativeInfinity(low) ? high : high + LogOnePlus(Math.Exp(low - high));
    }
}
