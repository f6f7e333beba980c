namespace Gateway.Core.Rollout;

/// <summary>
/// Says whether the candidate answers another share of its requests with 4xx than what is beside it: many more, as where it lets nobody in,
/// or many fewer, as where it lets in everybody. It takes a large difference, for a few clients (robots that try what does not exist) make
/// small ones where a key keeps clients with a variant.
/// </summary>
/// <param name="alpha">For both directions together.</param>
internal sealed class ClientErrorComparison(double alpha, ClientErrorGate gate) : IGateTest
{
    private readonly ShareDifference _more = new(alpha / 2, gate.MaxDifference), _fewer = new(alpha / 2, gate.MaxDifference);
    private double _excess, _evidence;

    public bool IsWorse => _more.IsLarger || _fewer.IsLarger;

    public double LogEvidence => Math.Max(_more.LogEvidence, _fewer.LogEvidence);

    // Anytime valid, as the evidence is; of two that were looked at.
    public double PValue => Math.Min(1, 2 * Math.Exp(-_evidence));

    public double Excess => _fewer.LogEvidence > _more.LogEvidence ? -_excess : _excess;

    /// <param name="stable">A step of those beside the candidate.</param>
    /// <param name="candidate">A step of the candidate.</param>
    /// <param name="stableLost">Of the requests those that found no route.</param>
    /// <param name="candidateLost">As of the others.</param>
    public void Add(VariantCounts stable, VariantCounts candidate, long stableLost = 0, long candidateLost = 0)
    {
        long mine = candidate.Rejected + candidateLost, theirs = stable.Rejected + stableLost;
        _more.Add(candidate.Requests, mine, stable.Requests, theirs);
        // A candidate counts rates of its own from nothing, and with a small share of requests: that it limits fewer says nothing.
        _fewer.Add(stable.Requests, theirs - stable.Limited, candidate.Requests, mine - candidate.Limited);
        _evidence = Math.Max(_evidence, LogEvidence);
        if (stable.Requests > 0) _excess += mine - (candidate.Requests * ((double)theirs / stable.Requests));
    }
}
