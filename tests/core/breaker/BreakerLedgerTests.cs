using Gateway.Core.Breaker;
using Gateway.Core.Tests.Limits;

namespace Gateway.Core.Tests.Breaker;

/// <summary>What a breaker says of itself: where it stands, and how it came there.</summary>
public sealed class BreakerLedgerTests
{
    private static readonly BreakerSettings Settings = new() { MinRequests = 4, Probes = 2 };

    private readonly VirtualTime _time = new();
    private readonly CircuitBreaker _breaker;

    public BreakerLedgerTests() => _breaker = new CircuitBreaker(Settings, _time);

    private void Pass(BreakerOutcome outcome)
    {
        Assert.True(_breaker.TryEnter(_time.GetTimestamp(), out BreakerPermit permit));
        _breaker.Leave(permit, outcome, _time.GetTimestamp());
    }

    private BreakerReading Read() => _breaker.Read(_time.GetTimestamp());

    private string Changes => string.Join("; ", _breaker.Ledger.Changes.Select(static c => $"{c.From} > {c.To}: {c.Cause} {c.Failures}/{c.Requests} {c.Open.TotalSeconds}"));

    [Fact]
    public void EveryChange_HasItsEvidence()
    {
        Pass(BreakerOutcome.Success);
        Pass(BreakerOutcome.Success);
        Pass(BreakerOutcome.Failure);
        Assert.Equal(new BreakerReading(BreakerState.Closed, 3, 1, TimeSpan.Zero, 0, 0), Read());
        Assert.Null(_breaker.Ledger.Last);
        Pass(BreakerOutcome.Failure);
        Assert.Equal("Closed > Open: Failures 2/4 2", Changes);
        _time.Advance(TimeSpan.FromSeconds(0.5));
        Assert.Equal(new BreakerReading(BreakerState.Open, 4, 2, TimeSpan.FromSeconds(1.5), 0, 0), Read());

        _time.Advance(TimeSpan.FromSeconds(1.5));
        Assert.True(_breaker.TryEnter(_time.GetTimestamp(), out BreakerPermit first));
        Assert.Equal((BreakerState.HalfOpen, 1, 0), (Read().State, Read().ProbesOut, Read().ProbesGood));
        Pass(BreakerOutcome.Success);
        Assert.Equal((BreakerState.HalfOpen, 1, 1), (Read().State, Read().ProbesOut, Read().ProbesGood));
        _breaker.Leave(first, BreakerOutcome.Failure, _time.GetTimestamp());
        Assert.Equal("Closed > Open: Failures 2/4 2; Open > HalfOpen: Elapsed 0/0 0; HalfOpen > Open: ProbeFailed 1/1 4", Changes);

        _time.Advance(TimeSpan.FromSeconds(4));
        Pass(BreakerOutcome.Success);
        Pass(BreakerOutcome.Success);
        Assert.Equal(new BreakerReading(BreakerState.Closed, 0, 0, TimeSpan.Zero, 0, 0), Read());
        Assert.EndsWith("; Open > HalfOpen: Elapsed 0/0 0; HalfOpen > Closed: ProbesSucceeded 0/2 0", Changes, StringComparison.Ordinal);
    }

    [Fact]
    public void ASuccessThatIsTakenBack_OpensItWithTheSameEvidence()
    {
        for (int i = 0; i < 3; i++) Pass(i == 0 ? BreakerOutcome.Failure : BreakerOutcome.Success);
        Assert.True(_breaker.TryEnter(_time.GetTimestamp(), out BreakerPermit permit));
        _breaker.Leave(permit, BreakerOutcome.Success, _time.GetTimestamp());
        Assert.Equal(BreakerState.Open, _breaker.TakeBack(permit, _time.GetTimestamp()));
        Assert.Equal("Closed > Open: Failures 2/4 2", Changes);
    }

    [Fact]
    public void ProbesThatNeverComeBack_AreNoChange()
    {
        for (int i = 0; i < 4; i++) Pass(BreakerOutcome.Failure);
        _time.Advance(Settings.Open);
        for (int i = 0; i < 2; i++) Assert.True(_breaker.TryEnter(_time.GetTimestamp(), out _));
        _time.Advance(Settings.MaxOpen);
        Assert.True(_breaker.TryEnter(_time.GetTimestamp(), out _));
        Assert.Equal(2, _breaker.Ledger.Changes.Count);
    }

    [Fact]
    public void TheLedger_KeepsTheLastChanges_AndCountsOn()
    {
        var ledger = new BreakerLedger();
        for (int i = 0; i <= BreakerLedger.Capacity; i++)
            ledger.Add(_time.GetUtcNow(), BreakerState.Closed, BreakerState.Open, BreakerCause.Failures, 1, 1, TimeSpan.Zero, Settings);
        Assert.Equal(BreakerLedger.Capacity, ledger.Changes.Count);
        Assert.Equal((2L, BreakerLedger.Capacity + 1L), (ledger.Changes[0].Sequence, ledger.Last!.Sequence));
    }
}
