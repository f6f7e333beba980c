namespace Gateway.Core.Rollout;

/// <summary>
/// A test with a horizon, which is looked at after every step on the way there and is there nearly as sharp as one that is looked at only
/// once: a group sequential test of the candidate's failures summed over steps (as Mantel and Haenszel 1959 sum their strata), with an
/// error-spending function (Lan and DeMets 1983; the power family of Kim and DeMets 1987, which with 3 is near O'Brien and Fleming; 8 leaves
/// nearly all for the looks next to the horizon, of which there are enough that little is lost to boundaries being whole numbers).
/// </summary>
/// <remarks>
/// Nothing in it is an approximation for large counts: it carries the distribution of the sum, given the margins of each step (each is
/// hypergeometric, see <see cref="OddsProcess"/>) and given that no look has crossed before, and puts each look's boundary where the mass
/// beyond is what may be spent by then. The clock is the candidate's requests, which say nothing about their failures.
/// </remarks>
/// <param name="alpha">To be spent in all.</param>
internal sealed class SpendingTest(double alpha)
{
    /// <summary>Requests of the candidate. A doubling from 0.5 % is found in them with some 96 %; who fails more often is found sooner.</summary>
    public const long Horizon = 5000;

    private const double Exponent = 8;

    private const long Largest = 4 * Horizon;

    // What is less likely than this is left out of the distributions.
    private const double Negligible = 1e-16;

    private double[] _mass = [1];
    private long _least;
    private long _seen, _failures;
    private double _spent;

    /// <summary>There is nothing left to spend.</summary>
    public bool IsOver => _seen >= Horizon;

    /// <summary>The chance that a candidate that is no worse has so many failures now or has crossed before; 1 before the first look.</summary>
    public double PValue { get; private set; } = 1;

    /// <summary>True: the candidate is worse. To be called no more once it was, or once it is over.</summary>
    public bool Add(Table table)
    {
        // What a step has beyond this says no more than its proportions: so the distributions have some hundred places at most.
        if (table.Candidate > Largest) table = table.Scaled(Largest);
        _seen += table.Candidate;
        _failures += table.CandidateFailures;
        if (table.Failures > 0) Convolve(Hypergeometric(table, out long least), least);
        double allowed = (alpha * Math.Pow(Math.Min(1, _seen / (double)Horizon), Exponent)) - _spent;
        double beyond = 0;
        int boundary = _mass.Length;
        while (boundary > 0 && beyond + _mass[boundary - 1] <= allowed) beyond += _mass[--boundary];

        double tail = 0;
        for (long i = Math.Max(0, _failures - _least); i < _mass.Length; i++) tail += _mass[i];
        PValue = Math.Min(1, _spent + tail);
        if (_failures >= _least + boundary) return true;
        _spent += beyond;
        _mass = _mass[..boundary];
        return false;
    }

    private void Convolve(double[] step, long least)
    {
        double[] sum = new double[_mass.Length + step.Length - 1];
        for (int i = 0; i < _mass.Length; i++)
        {
            double mass = _mass[i];
            for (int j = 0; j < step.Length; j++) sum[i + j] += mass * step[j];
        }
        int from = 0, to = sum.Length;
        while (from < to - 1 && sum[from] < Negligible) from++;
        while (to > from + 1 && sum[to - 1] < Negligible) to--;
        _mass = sum[from..to];
        _least += least + from;
    }

    // By ratios from the mode, so that no count is too large for it.
    private static double[] Hypergeometric(in Table table, out long least)
    {
        double requests = table.Requests, failures = table.Failures, candidate = table.Candidate;
        long lowest = Math.Max(0, table.Candidate + table.Failures - table.Requests), highest = Math.Min(table.Candidate, table.Failures);
        long mode = Math.Clamp((long)Math.Floor((candidate + 1) / (requests + 2) * (failures + 1)), lowest, highest);
        double Ratio(double x) => (failures - x) / (x + 1) * ((candidate - x) / (requests - failures - candidate + x + 1));
        List<double> above = [1], below = [];
        double sum = 1;
        for (long x = mode; x < highest && above[^1] >= Negligible; x++)
        {
            above.Add(above[^1] * Ratio(x));
            sum += above[^1];
        }
        double mass = 1;
        for (long x = mode - 1; x >= lowest && mass >= Negligible; x--)
        {
            below.Add(mass /= Ratio(x));
            sum += mass;
        }
        least = mode - below.Count;
        below.Reverse();
        below.AddRange(above);
        return [.. below.Select(m => m / sum)];
    }
}
