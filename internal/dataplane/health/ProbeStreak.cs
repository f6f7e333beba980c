namespace Gateway.DataPlane.Health;

/// <summary>Turns answers of probes into a verdict that does not change with every one of them. For one thread.</summary>
/// <param name="verdict">What is known already; null: nothing, then the first answer decides alone (as in Envoy).</param>
internal sealed class ProbeStreak(int unhealthyAfter, int healthyAfter, bool? verdict)
{
    private bool? _last;

    /// <summary>Whether the endpoint is well.</summary>
    public bool? Verdict { get; private set; } = verdict;

    /// <summary>Equal answers in a row, the last one included.</summary>
    public int Length { get; private set; }

    /// <summary>Takes an answer. True: the verdict has changed with it.</summary>
    public bool Add(bool good)
    {
        Length = _last == good ? Length + 1 : 1;
        _last = good;
        if (Verdict == good || (Verdict is not null && Length < (good ? healthyAfter : unhealthyAfter))) return false;
        Verdict = good;
        return true;
    }
}
