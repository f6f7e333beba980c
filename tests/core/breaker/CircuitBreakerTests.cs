using Gateway.Core.Breaker;

namespace Gateway.Core.Tests.Breaker;

public sealed class CircuitBreakerTests
{
    private static readonly TimeProvider Clock = TimeProvider.System;
    private readonly CircuitBreaker _breaker = new(new BreakerSettings(), Clock);
    private long _now = Seconds(1000);

    private static long Seconds(double seconds) => (long)(seconds * Clock.TimestampFrequency);

    private BreakerState? Send(BreakerOutcome outcome)
    {
        Assert.True(_breaker.TryEnter(_now, out BreakerPermit permit));
        return _breaker.Leave(permit, outcome, _now);
    }

    private void Send(int count, BreakerOutcome outcome)
    {
        for (int i = 0; i < count; i++) Send(outcome);
    }

    private void Open()
    {
        Send(20, BreakerOutcome.Failure);
        Assert.Equal(BreakerState.Open, _breaker.State);
    }

    private bool IsRefused()
    {
        if (!_breaker.TryEnter(_now, out BreakerPermit permit)) return true;
        _breaker.Leave(permit, BreakerOutcome.Abandoned, _now);
        return false;
    }

    [Fact]
    public void NineteenFailures_AreTooFewToSayAnything_TheTwentiethOpensIt()
    {
        Send(19, BreakerOutcome.Failure);
        Assert.Equal(BreakerState.Closed, _breaker.State);
        Assert.Equal(BreakerState.Open, Send(BreakerOutcome.Failure));
        Assert.True(IsRefused());
        Assert.Equal(1, _breaker.Opened);
    }

    private BreakerPermit Succeed()
    {
        Assert.True(_breaker.TryEnter(_now, out BreakerPermit permit));
        _breaker.Leave(permit, BreakerOutcome.Success, _now);
        return permit;
    }

    [Fact]
    public void SuccessesThatAreTakenBack_AreFailures_NineNotEnoughOfTwenty_TheTenthOpensIt()
    {
        BreakerPermit[] permits = [.. Enumerable.Range(0, 20).Select(_ => Succeed())];
        for (int i = 0; i < 9; i++) Assert.Null(_breaker.TakeBack(permits[i], _now));
        Assert.Equal(BreakerState.Open, _breaker.TakeBack(permits[9], _now));
        // What comes from an earlier term counts for nothing.
        Assert.Null(_breaker.TakeBack(permits[10], _now));
        Assert.Null(_breaker.TakeBack(default, _now));
    }

    [Fact]
    public void AProbesSuccessThatIsTakenBack_OpensItAgain()
    {
        Open();
        _now += Seconds(2);
        BreakerPermit probe = Succeed();
        Assert.Equal(BreakerState.HalfOpen, _breaker.State);
        Assert.Equal(BreakerState.Open, _breaker.TakeBack(probe, _now));
        Assert.True(IsRefused());
        _now += Seconds(4);
        for (int i = 0; i < 5; i++) Succeed();
        Assert.Equal(BreakerState.Closed, _breaker.State);
    }

    [Fact]
    public void LessThanHalfFailures_LeaveItClosed_HalfOpensIt()
    {
        Send(51, BreakerOutcome.Success);
        Send(50, BreakerOutcome.Failure);
        Assert.Equal(BreakerState.Closed, _breaker.State);
        Assert.Equal(BreakerState.Open, Send(BreakerOutcome.Failure));
    }

    [Fact]
    public void WhatWasAbandoned_CountsForNothing()
    {
        Send(1000, BreakerOutcome.Abandoned);
        Send(19, BreakerOutcome.Failure);
        Assert.Equal(BreakerState.Closed, _breaker.State);
        Assert.Equal(BreakerState.Open, Send(BreakerOutcome.Failure));
    }

    [Fact]
    public void FailuresOutsideTheWindow_AreForgotten()
    {
        Send(19, BreakerOutcome.Failure);
        _now += Seconds(10);
        Send(19, BreakerOutcome.Failure);
        Assert.Equal(BreakerState.Closed, _breaker.State);
    }

    [Fact]
    public void FailuresJustInsideTheWindow_Count()
    {
        Send(19, BreakerOutcome.Failure);
        _now += Seconds(9) - 1;
        Assert.Equal(BreakerState.Open, Send(BreakerOutcome.Failure));
    }

    [Fact]
    public void AfterTwoSeconds_AndNotATickBefore_FiveProbesGo_AndNoSixth()
    {
        Open();
        Assert.Equal(TimeSpan.FromSeconds(2), _breaker.RetryAfter(_now));
        _now += Seconds(2) - 1;
        Assert.True(IsRefused());
        _now += 1;
        for (int i = 0; i < 5; i++)
        {
            Assert.True(_breaker.TryEnter(_now, out BreakerPermit permit));
            Assert.True(permit.IsProbe);
        }
        Assert.Equal(BreakerState.HalfOpen, _breaker.State);
        Assert.False(_breaker.TryEnter(_now, out _));
    }

    [Fact]
    public void FourSuccesses_AreNotEnough_TheFifthCloses()
    {
        Open();
        _now += Seconds(2);
        Send(4, BreakerOutcome.Success);
        Assert.Equal(BreakerState.HalfOpen, _breaker.State);
        Assert.Equal(BreakerState.Closed, Send(BreakerOutcome.Success));
        // What opened it is forgotten.
        Send(19, BreakerOutcome.Failure);
        Assert.Equal(BreakerState.Closed, _breaker.State);
    }

    [Fact]
    public void EachFailedProbe_DoublesTheOpenTime_UpToTheLongest()
    {
        Open();
        foreach (int seconds in new[] { 2, 4, 8, 16, 32, 60, 60 })
        {
            Assert.Equal(TimeSpan.FromSeconds(seconds), _breaker.RetryAfter(_now));
            _now += Seconds(seconds) - 1;
            Assert.True(IsRefused());
            _now += 1;
            Assert.Equal(BreakerState.Open, Send(BreakerOutcome.Failure));
        }
    }

    [Fact]
    public void OnceClosed_TheOpenTimeBeginsAnew()
    {
        Open();
        _now += Seconds(2);
        Send(BreakerOutcome.Failure);
        _now += Seconds(4);
        Send(5, BreakerOutcome.Success);
        Open();
        Assert.Equal(TimeSpan.FromSeconds(2), _breaker.RetryAfter(_now));
    }

    [Fact]
    public void ACancelledProbe_LeavesItsPlaceToAnother()
    {
        Open();
        _now += Seconds(2);
        for (int round = 0; round < 100; round++)
        {
            BreakerPermit[] permits = new BreakerPermit[5];
            for (int i = 0; i < 5; i++) Assert.True(_breaker.TryEnter(_now, out permits[i]));
            Assert.False(_breaker.TryEnter(_now, out _));
            foreach (BreakerPermit permit in permits) _breaker.Leave(permit, BreakerOutcome.Abandoned, _now);
        }
        Send(5, BreakerOutcome.Success);
        Assert.Equal(BreakerState.Closed, _breaker.State);
    }

    [Fact]
    public void ProbesThatNeverComeBack_AreGivenUpAfterTheLongestOpenTime()
    {
        Open();
        _now += Seconds(2);
        for (int i = 0; i < 5; i++) Assert.True(_breaker.TryEnter(_now, out _));
        _now += Seconds(60) - 1;
        Assert.False(_breaker.TryEnter(_now, out _));
        _now += 1;
        Send(5, BreakerOutcome.Success);
        Assert.Equal(BreakerState.Closed, _breaker.State);
    }

    [Fact]
    public void WhatComesFromAnEarlierTerm_CountsForNothing()
    {
        Assert.True(_breaker.TryEnter(_now, out BreakerPermit early));
        Open();
        Assert.Null(_breaker.Leave(early, BreakerOutcome.Failure, _now));
        _now += Seconds(2);
        Assert.True(_breaker.TryEnter(_now, out BreakerPermit failing));
        Assert.True(_breaker.TryEnter(_now, out BreakerPermit slow));
        Assert.Equal(BreakerState.Open, _breaker.Leave(failing, BreakerOutcome.Failure, _now));
        Assert.Null(_breaker.Leave(slow, BreakerOutcome.Failure, _now));
        Assert.Equal(TimeSpan.FromSeconds(4), _breaker.RetryAfter(_now));
        _now += Seconds(4);
        Send(4, BreakerOutcome.Success);
        Assert.Null(_breaker.Leave(slow, BreakerOutcome.Success, _now));
        Assert.Equal(BreakerState.HalfOpen, _breaker.State);
    }

    [Fact]
    public void ThePermitOfNoBreaker_DoesNothing() => Assert.Null(_breaker.Leave(default, BreakerOutcome.Failure, _now));
}
