namespace Gateway.Core.Rollout;

/// <summary>
/// Says whether one group has a larger share of something than another by more than may be, wrongly with a probability of at most alpha
/// however often it is asked and however both shares drift, together, on the way.
/// </summary>
/// <remarks>
/// A step has n requests of the one, of which k have it, and m of the other, of which s have it. As long as the shares differ by at most d,
/// the mean of k/n − s/m − d is no more than 0, and its deviation is that of a normal variable with the variance (1/n + 1/m)/4 at most
/// (Hoeffding 1963). With h = nm/(n + m) in place of requests, evidence that is multiplied by exp(λh(k/n − s/m − d) − λ²h/8) is an e-process
/// for each λ. It takes more requests than a test that knows how rare the thing is, and needs nothing to be known: it is for differences
/// that are far beyond d.
/// </remarks>
/// <param name="alpha">The chance of being wrong.</param>
/// <param name="most">By how much the shares may differ, from 0 to 1.</param>
internal sealed class ShareDifference(double alpha, double most)
{
    // Best for differences beyond what may be of a quarter of it: from six hundredths to all.
    private static readonly double[] Bets = [0.25, 0.5, 1, 2, 4];

    private readonly EvidenceMixture _mixture = new(Bets.Length);

    /// <inheritdoc cref="EvidenceMixture.LogEvidence"/>
    public double LogEvidence => _mixture.LogEvidence;

    /// <summary>The share is larger. Stays so.</summary>
    public bool IsLarger { get; private set; }

    /// <summary>In a step without requests of both there is nothing to be seen.</summary>
    public void Add(long requests, long having, long others, long othersHaving)
    {
        if (requests <= 0 || others <= 0) return;
        double n = requests, m = others, weight = n * (m / (n + m));
        double beyond = Math.Clamp(having / n, 0, 1) - Math.Clamp(othersHaving / m, 0, 1) - most;
        Span<double> factors = stackalloc double[Bets.Length];
        for (int i = 0; i < factors.Length; i++) factors[i] = weight * Bets[i] * (beyond - (Bets[i] / 8));
        _mixture.Add(factors);
        if (_mixture.LogEvidence >= -Math.Log(alpha)) IsLarger = true;
    }
}
