namespace Gateway.Core.Outlier;

/// <summary>
/// Decides which endpoints of a pool are left alone for a while because of how attempts at them ended. Time is given to it; it is called
/// now and then, and at once when an endpoint's run of failures has become long. Not thread safe: its owner calls it under a lock.
/// </summary>
/// <remarks>
/// Outliers are judged against a cap, for what looks like bad endpoints may be a bad dependency of all of them. Endpoints that do not
/// answer at all are not: requests cannot succeed there, and the pool's panic threshold stands behind. They count as out, so that outliers
/// never take what is left of the cap twice.
/// </remarks>
public sealed class OutlierDetector
{
    // How often shares are looked at.
    private static readonly TimeSpan Second = TimeSpan.FromSeconds(1);

    private readonly List<OutlierMember> _members = [];
    private readonly uint[] _counts = new uint[LatencyHistogram.Buckets];
    private TimeSpan _nextShares, _nextInterval;
    private PassiveSettings? _passive;
    private OutlierSettings? _outlier;

    public IReadOnlyList<OutlierMember> Members => _members;

    /// <summary>Whether <see cref="Evaluate"/> may find something although no run of failures has reached <see cref="RunToReport"/>.</summary>
    public bool NeedsTime => _outlier is not null || Out() != 0;

    /// <summary>The length of a run of attempts without an answer at which to call <see cref="Evaluate"/> at once; int.MaxValue for none.</summary>
    public int UnansweredToReport => _passive?.Failures ?? int.MaxValue;

    /// <summary>The same of failures of any kind.</summary>
    public int RunToReport => _outlier is { ConsecutiveFailures: > 0 and var run } ? run : int.MaxValue;

    /// <summary>Outliers that may be out at once.</summary>
    public int Allowed => Math.Max(1, _members.Count * (_outlier?.MaxEjectedPercent ?? 0) / 100);

    /// <summary>Takes the settings and the endpoints of the moment. What stays keeps its state; what goes is forgotten, and who was out comes back through <see cref="Evaluate"/>.</summary>
    public void Configure(TimeSpan now, PassiveSettings? passive, OutlierSettings? outlier, ReadOnlySpan<OutlierMember> members)
    {
        (_passive, _outlier) = (passive, outlier);
        HashSet<OutlierMember> before = [.. _members];
        _members.Clear();
        foreach (OutlierMember member in members)
        {
            _members.Add(member);
            if (!before.Contains(member))
            {
                // What attempts came to while nobody watched is held against nobody.
                member.Counts.RestartRuns(0);
                member.Window.Restart(now, member.Counts);
            }
            bool timed = outlier is { LatencyMultiplier: > 0 };
            if (timed) member.Counts.Latencies ??= new LatencyHistogram();
            else (member.Counts.Latencies, member.Latencies, member.SlowIntervals) = (null, null, 0);
        }
        if (_nextInterval == TimeSpan.Zero && outlier is not null) _nextInterval = now + outlier.Interval;
    }

    /// <summary>Looks at every endpoint. <paramref name="decisions"/> gets what has changed.</summary>
    public void Evaluate(TimeSpan now, ICollection<EjectionDecision> decisions)
    {
        Return(now, decisions);
        foreach (OutlierMember member in _members)
        {
            if (_passive is not { } passive || member.IsOut) continue;
            int unanswered = Math.Max(member.Counts.UnansweredRun, member.Counts.CutRun);
            if (unanswered >= passive.Failures) Eject(member, now, EjectionReason.Unanswered, passive.Eject, decisions, unanswered, unanswered);
        }
        if (_outlier is null) return;
        bool shares = now >= _nextShares, interval = now >= _nextInterval;
        if (shares) _nextShares = now + Second;
        foreach (OutlierMember member in _members) JudgeFailures(member, now, shares, _outlier, decisions);
        if (!interval) return;
        _nextInterval = now + _outlier.Interval;
        if (_outlier.LatencyMultiplier > 0) JudgeLatencies(now, _outlier, decisions);
        foreach (OutlierMember member in _members)
        {
            if (!member.IsOut && member.Ejections > 0 && now - member.InSince >= _outlier.Interval) member.Ejections--;
        }
    }

    private void Return(TimeSpan now, ICollection<EjectionDecision> decisions)
    {
        foreach (OutlierMember member in _members)
        {
            if (!member.IsOut) continue;
            bool allowed = member.IsOutlier ? _outlier is not null : _passive is not null;
            if (!allowed || now >= member.Until) Return(member, now, allowed ? EjectionStep.Returned : EjectionStep.Released, decisions);
        }
        // The pool has become smaller, or its cap: who would come back first does so now.
        while (_members.Count(static m => m.IsOutlier) > Allowed)
            Return(_members.Where(static m => m.IsOutlier).MinBy(static m => m.Until)!, now, EjectionStep.Released, decisions);
    }

    private void Return(OutlierMember member, TimeSpan now, EjectionStep step, ICollection<EjectionDecision> decisions)
    {
        EjectionReason reason = member.Reason;
        (member.Reason, member.InSince) = (EjectionReason.None, now);
        // On probation: who did not answer is out again with the first attempt that finds nothing changed.
        member.Counts.RestartRuns(reason == EjectionReason.Unanswered && _passive is not null ? _passive.Failures - 1 : 0);
        member.Window.Restart(now, member.Counts);
        member.SlowIntervals = 0;
        decisions.Add(new EjectionDecision(member, step, reason, 0, 0, 0, 0, TimeSpan.Zero, Out(), Allowed));
    }

    private void JudgeFailures(OutlierMember member, TimeSpan now, bool shares, OutlierSettings settings, ICollection<EjectionDecision> decisions)
    {
        if (member.IsOut) return;
        int run = Math.Max(member.Counts.FailureRun, member.Counts.CutRun);
        if (settings.ConsecutiveFailures > 0 && run >= settings.ConsecutiveFailures)
        {
            EjectOutlier(member, now, EjectionReason.ConsecutiveFailures, settings, decisions, run, run);
            return;
        }
        if (!shares) return;
        (long total, long failed) = member.Window.Look(now, settings.Window, member.Counts);
        if (settings.FailurePercent > 0 && total >= settings.MinRequests && failed * 100 >= (long)settings.FailurePercent * total)
            EjectOutlier(member, now, EjectionReason.FailurePercent, settings, decisions, total, failed);
        else if (member.SlowIntervals < settings.LatencyIntervals) member.IsSpared = false;
    }

    // The pool's latency is the median of its endpoints' 95th percentiles: like is compared with like, so that a service whose answers are
    // spread widely is no outlier of itself. The lower one of the two in the middle, so that of two endpoints the slow one can be told.
    private void JudgeLatencies(TimeSpan now, OutlierSettings settings, ICollection<EjectionDecision> decisions)
    {
        List<(OutlierMember Member, long Latency, long Samples)> judged = [];
        foreach (OutlierMember member in _members)
        {
            if (TakeInterval(member, out long samples) is { } latency && samples >= settings.LatencyMinSamples) judged.Add((member, latency, samples));
            else member.SlowIntervals = 0;
        }
        if (judged.Count == 0) return;
        judged.Sort(static (a, b) => a.Latency.CompareTo(b.Latency));
        long pool = judged[(judged.Count - 1) / 2].Latency;
        foreach ((OutlierMember member, long latency, long samples) in judged)
        {
            member.SlowIntervals = latency > settings.LatencyMultiplier * pool ? member.SlowIntervals + 1 : 0;
            if (member.SlowIntervals >= settings.LatencyIntervals && !member.IsOut)
                EjectOutlier(member, now, EjectionReason.Latency, settings, decisions, samples, 0, latency, pool);
        }
    }

    /// <summary>The 95th percentile of what was recorded since the last call; null at the first.</summary>
    private long? TakeInterval(OutlierMember member, out long samples)
    {
        samples = 0;
        if (member.Counts.Latencies is not { } histogram) return null;
        histogram.Read(_counts);
        if (member.Latencies is not { } last)
        {
            member.Latencies = [.. _counts];
            return null;
        }
        for (int i = 0; i < _counts.Length; i++)
        {
            uint now = _counts[i];
            _counts[i] -= last[i];
            samples += _counts[i];
            last[i] = now;
        }
        return LatencyHistogram.Percentile(_counts, 95);
    }

    private void EjectOutlier(
        OutlierMember member, TimeSpan now, EjectionReason reason, OutlierSettings settings, ICollection<EjectionDecision> decisions,
        long attempts, long failures, long latency = 0, long poolLatency = 0)
    {
        if (Out() >= Allowed)
        {
            if (!member.IsSpared)
                decisions.Add(new EjectionDecision(member, EjectionStep.Spared, reason, attempts, failures, latency, poolLatency, TimeSpan.Zero, Out(), Allowed));
            member.IsSpared = true;
            return;
        }
        member.Ejections++;
        TimeSpan length = settings.BaseEjection * member.Ejections;
        if (length >= settings.MaxEjection)
        {
            length = settings.MaxEjection;
            // No more than it takes to be there, so that it goes down again as soon as the endpoint does better (Envoy).
            member.Ejections = (int)Math.Ceiling(settings.MaxEjection / settings.BaseEjection);
        }
        Eject(member, now, reason, length, decisions, attempts, failures, latency, poolLatency);
    }

    private void Eject(
        OutlierMember member, TimeSpan now, EjectionReason reason, TimeSpan length, ICollection<EjectionDecision> decisions,
        long attempts, long failures, long latency = 0, long poolLatency = 0)
    {
        (member.Reason, member.Until, member.IsSpared) = (reason, now + length, false);
        decisions.Add(new EjectionDecision(member, EjectionStep.Ejected, reason, attempts, failures, latency, poolLatency, length, Out(), Allowed));
    }

    private int Out() => _members.Count(static m => m.IsOut);
}
