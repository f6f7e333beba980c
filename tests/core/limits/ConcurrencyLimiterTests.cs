using Gateway.Core.Limits;
using Gateway.TestKit;

namespace Gateway.Core.Tests.Limits;

public sealed class ConcurrencyLimiterTests
{
    private static readonly TimeSpan Timeout = TimeSpan.FromMilliseconds(200);

    private readonly VirtualTime _time = new();
    private readonly ConcurrencyLimiter _limiter;

    public ConcurrencyLimiterTests() => _limiter = new ConcurrencyLimiter(_time);

    private Task<Admission> Wait(int priority = 3, int limit = 1, int length = 3, CancellationToken cancellation = default) =>
        _limiter.WaitAsync(limit, new QueueSettings(length, Timeout), priority, cancellation).AsTask();

    private void Leave(int limit = 1) => _limiter.Leave(limit, Timeout);

    private static Task<Admission> Ended(Task<Admission> waiter) => Eventually.Within("the waiter's end", waiter);

    [Fact]
    public void AsManyAsTheLimit_AndNoMore()
    {
        Assert.True(_limiter.TryEnter(2));
        Assert.True(_limiter.TryEnter(2));
        Assert.False(_limiter.TryEnter(2));
        Assert.Equal(2, _limiter.InFlight);
        Leave(2);
        Assert.True(_limiter.TryEnter(2));
        // A lower limit: as slots are given back.
        Leave(1);
        Assert.False(_limiter.TryEnter(1));
        Leave(1);
        Assert.True(_limiter.TryEnter(1));
    }

    [Fact]
    public async Task WhoWaits_GetsTheSlotThatIsGivenBack_InOrder()
    {
        Assert.True(_limiter.TryEnter(1));
        Task<Admission> first = Wait(), second = Wait();
        Assert.Equal(2, _limiter.Waiting);
        Leave();
        Assert.Equal(Admission.Admitted, await Ended(first));
        Assert.False(second.IsCompleted);
        Leave();
        Assert.Equal(Admission.Admitted, await Ended(second));
        Leave();
        Assert.Equal((0, 0), (_limiter.InFlight, _limiter.Waiting));
        Assert.Equal(0, _time.Waiting);
    }

    [Fact]
    public void WhileOthersWait_NobodyOvertakes()
    {
        Assert.True(_limiter.TryEnter(1));
        _ = Wait();
        // There is a slot now, but it is not for who has just come.
        Assert.False(_limiter.TryEnter(2));
    }

    [Fact]
    public async Task AHigherLimit_IsForThoseWhoWait_BeforeItIsForWhoHasJustCome()
    {
        Assert.True(_limiter.TryEnter(1));
        Task<Admission>[] waiting = [Wait(), Wait(), Wait()];
        Task<Admission> next = Wait(limit: 2);
        Assert.Equal(Admission.Admitted, await Ended(waiting[0]));
        Assert.False(next.IsCompleted);
        Assert.Equal((2, 3), (_limiter.InFlight, _limiter.Waiting));
    }

    [Fact]
    public async Task AFullQueue_TurnsAway()
    {
        Assert.True(_limiter.TryEnter(1));
        Task<Admission>[] waiting = [Wait(), Wait(), Wait()];
        Assert.Equal(Admission.QueueFull, await Ended(Wait()));
        Assert.Equal(Admission.QueueFull, await Ended(Wait(length: 0)));
        Assert.All(waiting, w => Assert.False(w.IsCompleted));
    }

    [Fact]
    public async Task AfterItsTime_AWaiterIsTurnedAway_AndNotBefore()
    {
        Assert.True(_limiter.TryEnter(1));
        Task<Admission> waiter = Wait();
        _time.Advance(Timeout - TimeSpan.FromMilliseconds(1));
        Assert.False(waiter.IsCompleted);
        _time.Advance(TimeSpan.FromMilliseconds(1));
        Assert.Equal(Admission.TimedOut, await Ended(waiter));
        Assert.Equal((1, 0), (_limiter.InFlight, _limiter.Waiting));
    }

    [Fact]
    public async Task CalledOff_ItMakesRoom()
    {
        Assert.True(_limiter.TryEnter(1));
        using var cancellation = new CancellationTokenSource();
        Task<Admission> waiter = Wait(cancellation: cancellation.Token), next = Wait();
        await cancellation.CancelAsync();
        Assert.Equal(Admission.Cancelled, await Ended(waiter));
        Leave();
        Assert.Equal(Admission.Admitted, await Ended(next));
    }

    [Fact]
    public async Task TheMoreImportant_GoFirst_AndDisplaceTheLeastImportant()
    {
        Assert.True(_limiter.TryEnter(1));
        Task<Admission> low = Wait(7), middle = Wait(3), lowest = Wait(7);
        Task<Admission> high = Wait(0);
        // The older one of the two.
        Assert.Equal(Admission.Displaced, await Ended(low));
        Assert.Equal(Admission.QueueFull, await Ended(Wait(7)));
        foreach (Task<Admission> next in (Task<Admission>[])[high, middle, lowest])
        {
            Leave();
            Assert.Equal(Admission.Admitted, await Ended(next));
        }
    }

    [Fact]
    public async Task InAStandingQueue_TheLastComeIsServedFirst_AndTheOldestMakesRoom()
    {
        Assert.True(_limiter.TryEnter(1));
        Task<Admission> oldest = Wait();
        _time.Advance((Timeout / 2) + TimeSpan.FromMilliseconds(1));
        Task<Admission> second = Wait(), third = Wait(), fourth = Wait();
        Assert.Equal(Admission.Displaced, await Ended(oldest));
        Leave();
        Assert.Equal(Admission.Admitted, await Ended(fourth));
        Leave();
        Assert.Equal(Admission.Admitted, await Ended(third));
        Leave();
        Assert.Equal(Admission.Admitted, await Ended(second));
    }

    [Theory]
    [InlineData(1)]
    [InlineData(3)]
    public async Task ManyThreads_NeverExceedTheLimit_AndLoseNothing(int limit)
    {
        var limiter = new ConcurrencyLimiter(TimeProvider.System);
        var queue = new QueueSettings(5, TimeSpan.FromMilliseconds(5));
        int running = 0, most = 0, admitted = 0, turnedAway = 0;
        await Eventually.Within("all have ended", Task.WhenAll(Enumerable.Range(0, 16).Select(seed => Task.Run(async () =>
        {
            var random = new Random(seed);
            for (int i = 0; i < 2_000; i++)
            {
                using var cancellation = new CancellationTokenSource();
                ValueTask<Admission> entering = limiter.TryEnter(limit) ? new(Admission.Admitted) : limiter.WaitAsync(limit, queue, random.Next(8), cancellation.Token);
                if (random.Next(4) == 0) await cancellation.CancelAsync();
                if (await entering != Admission.Admitted)
                {
                    Interlocked.Increment(ref turnedAway);
                    continue;
                }
                Interlocked.Increment(ref admitted);
                int now = Interlocked.Increment(ref running);
                for (int seen = Volatile.Read(ref most); now > seen; seen = Volatile.Read(ref most)) Interlocked.CompareExchange(ref most, now, seen);
                if (random.Next(8) == 0) await Task.Yield();
                Interlocked.Decrement(ref running);
                limiter.Leave(limit, queue.Timeout);
            }
        }))), TimeSpan.FromSeconds(60));
        Assert.InRange(most, 1, limit);
        Assert.Equal((0, 0, 16 * 2_000), (limiter.InFlight, limiter.Waiting, admitted + turnedAway));
        // With more slots than processors it may be that nobody ever has to wait.
        if (limit == 1) Assert.NotEqual(0, turnedAway);
        for (int i = 0; i < limit; i++) Assert.True(limiter.TryEnter(limit));
    }
}
