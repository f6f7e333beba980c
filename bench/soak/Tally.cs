using System.Collections.Concurrent;

namespace Gateway.Bench.Soak;

/// <summary>What came of everything that was done, by kind of client and outcome. Thread safe.</summary>
internal sealed class Tally
{
    private const int MostExamples = 20;

    private readonly ConcurrentDictionary<(string Kind, string Outcome), long> _counts = new();
    private readonly ConcurrentQueue<string> _unexpected = new();
    private long _total, _failures;

    public long Total => Interlocked.Read(ref _total);

    /// <summary>Outcomes that their kind of client does not allow.</summary>
    public long Failures => Interlocked.Read(ref _failures);

    /// <summary>The first of them.</summary>
    public IReadOnlyCollection<string> Examples => _unexpected;

    public IReadOnlyDictionary<(string Kind, string Outcome), long> Counts => _counts;

    public void Record(Traffic traffic, string outcome)
    {
        Interlocked.Increment(ref _total);
        _counts.AddOrUpdate((traffic.Kind, outcome), 1, static (_, n) => n + 1);
        if (!traffic.Allowed.Contains(outcome)) Fail($"{traffic.Kind}: {outcome}");
    }

    public void Fail(string what)
    {
        if (Interlocked.Increment(ref _failures) <= MostExamples) _unexpected.Enqueue($"{DateTimeOffset.UtcNow:HH:mm:ss} {what}");
    }
}
