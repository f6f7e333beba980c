namespace Gateway.Core.Outlier;

/// <summary>How much the counters of an endpoint rose in the last while, from readings of them. For one thread.</summary>
internal sealed class FailureWindow
{
    // A reading every sixtieth of the window, so that what is counted is at most that much older than it should be.
    private const int Parts = 60;

    private readonly record struct Reading(TimeSpan At, long Total, long Failed);

    private readonly Reading[] _readings = new Reading[Parts + 2];
    private int _first, _count;

    /// <summary>Forgets everything before now.</summary>
    public void Restart(TimeSpan now, AttemptCounts counts)
    {
        (_first, _count) = (0, 0);
        Add(Read(now, counts));
    }

    /// <summary>Attempts and failures since <paramref name="length"/> ago, or since the restart when that is later.</summary>
    public (long Total, long Failed) Look(TimeSpan now, TimeSpan length, AttemptCounts counts)
    {
        Reading present = Read(now, counts);
        if (_count == 0 || now - At(_count - 1).At >= length / Parts) Add(present);
        // The newest reading that is not inside the window is what it begins with; those before it are of no use any more.
        while (_count > 1 && At(1).At <= now - length) Drop();
        Reading start = At(0);
        return (present.Total - start.Total, present.Failed - start.Failed);
    }

    private static Reading Read(TimeSpan now, AttemptCounts counts)
    {
        // Failures first: they are counted last, so that there are never more of them than attempts.
        long failed = counts.Errors + counts.Unanswered;
        return new Reading(now, counts.Total, failed);
    }

    private Reading At(int index) => _readings[(_first + index) % _readings.Length];

    private void Add(Reading reading)
    {
        if (_count == _readings.Length) Drop();
        _readings[(_first + _count++) % _readings.Length] = reading;
    }

    private void Drop()
    {
        _first = (_first + 1) % _readings.Length;
        _count--;
    }
}
