using FsCheck;
using FsCheck.Fluent;
using Gateway.Core.Limits;
using Gateway.Core.Pool;
using Gateway.TestKit;

namespace Gateway.Core.Tests.Limits;

public sealed class RoomQueueTests
{
    private static readonly TimeSpan Timeout = TimeSpan.FromMilliseconds(200);

    private readonly VirtualTime _time = new();
    private readonly EndpointLoad _place = new();
    private readonly RoomQueue _queue;

    public RoomQueueTests() => _queue = new RoomQueue(_time);

    private Task<Admission> Wait(int most = 1, int length = 3, EndpointLoad? place = null, CancellationToken cancellation = default)
    {
        EndpointLoad at = place ?? _place;
        return _queue.WaitAsync(at, () => at.TryBegin(most), new QueueSettings(length, Timeout), cancellation).AsTask();
    }

    private void Leave()
    {
        _place.End();
        _queue.Serve();
    }

    private static Task<Admission> Ended(Task<Admission> waiter) => Eventually.Within("the waiter's end", waiter);

    [Fact]
    public void AsManyAsTheBound_AndNotOneMore()
    {
        Assert.True(_place.TryBegin(2));
        Assert.True(_place.TryBegin(2));
        Assert.False(_place.TryBegin(2));
        _place.End();
        Assert.True(_place.TryBegin(2));
        // A lower bound counts who is there already; no bound asks nobody.
        Assert.False(_place.TryBegin(1));
        Assert.True(_place.TryBegin(0));
        Assert.Equal(3, _place.InFlight);
    }

    [Fact]
    public async Task WhoWaits_GetsTheRoom_InTheOrderOfComing()
    {
        Assert.True(_place.TryBegin(1));
        Task<Admission> first = Wait(), second = Wait();
        Assert.Equal(2, _queue.Waiting);
        Leave();
        Assert.Equal(Admission.Admitted, await Ended(first));
        Assert.False(second.IsCompleted);
        Assert.Equal(1, _place.InFlight);
        Leave();
        Assert.Equal(Admission.Admitted, await Ended(second));
        Leave();
        Assert.Equal((0, 0), (_place.InFlight, _queue.Waiting));
        Assert.Equal(0, _time.Waiting);
    }

    [Fact]
    public async Task RoomThatCameFreeJustBefore_IsFound()
    {
        Assert.Equal(Admission.Admitted, await Ended(Wait()));
        Leave();
        // Also where nobody may wait.
        Assert.Equal(Admission.Admitted, await Ended(Wait(length: 0)));
    }

    [Fact]
    public async Task AsManyAsMayWait_AndNotOneMore()
    {
        Assert.True(_place.TryBegin(1));
        Task<Admission>[] waiting = [Wait(), Wait(), Wait()];
        Assert.Equal(Admission.QueueFull, await Ended(Wait()));
        Assert.Equal(Admission.QueueFull, await Ended(Wait(length: 0)));
        Assert.All(waiting, static w => Assert.False(w.IsCompleted));
        Assert.Equal((3, 2L, 0L), (_queue.Waiting, _queue.Full, _queue.TimedOut));
    }

    [Fact]
    public async Task AfterItsTime_AWaiterIsTurnedAway_AndNotBefore()
    {
        Assert.True(_place.TryBegin(1));
        Task<Admission> waiter = Wait();
        _time.Advance(Timeout - TimeSpan.FromMilliseconds(1));
        Assert.False(waiter.IsCompleted);
        _time.Advance(TimeSpan.FromMilliseconds(1));
        Assert.Equal(Admission.TimedOut, await Ended(waiter));
        Assert.Equal((0, 1L), (_queue.Waiting, _queue.TimedOut));
        Leave();
        Assert.Equal(0, _place.InFlight);
    }

    [Fact]
    public async Task CalledOff_ItMakesRoomInTheQueue()
    {
        Assert.True(_place.TryBegin(1));
        using var cancellation = new CancellationTokenSource();
        Task<Admission> waiter = Wait(length: 1, cancellation: cancellation.Token);
        Assert.Equal(Admission.QueueFull, await Ended(Wait(length: 1)));
        await cancellation.CancelAsync();
        Assert.Equal(Admission.Cancelled, await Ended(waiter));
        Task<Admission> next = Wait(length: 1);
        Leave();
        Assert.Equal(Admission.Admitted, await Ended(next));
    }

    [Fact]
    public async Task WhoLooksAtAFullPlace_KeepsNobodyFromAnother()
    {
        var other = new EndpointLoad();
        Assert.True(_place.TryBegin(1));
        Assert.True(other.TryBegin(1));
        Task<Admission> here = Wait(), alsoHere = Wait(), there = Wait(place: other);
        other.End();
        _queue.Serve();
        Assert.Equal(Admission.Admitted, await Ended(there));
        Assert.False(here.IsCompleted || alsoHere.IsCompleted);
    }

    private enum Act
    {
        Enter, Wait, Leave, Cancel, Pass,
    }

    private static readonly Gen<(Act Act, int Value)[]> Stories =
        Gen.Elements(Enum.GetValues<Act>()).SelectMany(act => Gen.Choose(0, 999).Select(value => (act, value))).ArrayOf().Resize(200);

    /// <summary>Whatever happens in whatever order: as many in flight as were let in and have not left, never beyond the bound, none free while somebody waits, everybody answered in the end.</summary>
    [Fact]
    public void NoRoomIsLost_AndNoneIsGivenTwice() => Prop.ForAll(Stories.ToArbitrary(), static story =>
    {
        const int most = 2;
        var time = new VirtualTime();
        var queue = new RoomQueue(time);
        EndpointLoad[] places = [new(), new()];
        int[] held = [0, 0];
        List<(Task<Admission> End, CancellationTokenSource Cancellation, int[] Taken)> waiting = [];
        int TryTake() => places[0].TryBegin(most) ? 0 : places[1].TryBegin(most) ? 1 : -1;
        foreach ((Act act, int value) in story)
        {
            switch (act)
            {
                case Act.Enter when queue.Waiting == 0:
                    if (TryTake() is >= 0 and var entered) held[entered]++;
                    break;
                case Act.Wait:
                    var cancellation = new CancellationTokenSource();
                    int[] taken = [-1];
                    waiting.Add((queue.WaitAsync(places, () => (taken[0] = TryTake()) >= 0, new QueueSettings(4, Timeout), cancellation.Token).AsTask(), cancellation, taken));
                    break;
                case Act.Leave when held[value % 2] > 0:
                    held[value % 2]--;
                    places[value % 2].End();
                    queue.Serve();
                    break;
                case Act.Cancel when waiting.Count > 0:
                    waiting[value % waiting.Count].Cancellation.Cancel();
                    break;
                case Act.Pass:
                    time.Advance(TimeSpan.FromMilliseconds(value % 90));
                    break;
            }
            // Who has been answered is seen a moment later, on another thread: what the queue says is not.
            if (!SpinWait.SpinUntil(() => waiting.Count(static w => !w.End.IsCompleted) == queue.Waiting, 5000)) return false;
            foreach ((Task<Admission> End, CancellationTokenSource Cancellation, int[] Taken) ended in waiting.Where(static w => w.End.IsCompleted).ToArray())
            {
                if (ended.End.GetAwaiter().GetResult() == Admission.Admitted) held[ended.Taken[0]]++;
                waiting.Remove(ended);
            }
            for (int i = 0; i < 2; i++)
            {
                if (places[i].InFlight != held[i] || held[i] > most) return false;
            }
            if (queue.Waiting > 4 || (queue.Waiting > 0 && held.Sum() < 2 * most)) return false;
        }
        time.Advance(Timeout);
        return queue.Waiting == 0 && SpinWait.SpinUntil(() => waiting.TrueForAll(static w => w.End.IsCompleted), 5000);
    }).QuickCheckThrowOnFailure();

    [Theory]
    [InlineData(1, 5)]
    [InlineData(3, 5)]
    [InlineData(2, 0)]
    public async Task ManyThreads_NeverExceedTheBound_AndLoseNothing(int most, int length)
    {
        var queue = new RoomQueue(TimeProvider.System);
        EndpointLoad[] places = [new(), new()];
        int[] running = [0, 0], highest = [0, 0];
        int admitted = 0, turnedAway = 0;
        await Eventually.Within("all have ended", Task.WhenAll(Enumerable.Range(0, 12).Select(seed => Task.Run(async () =>
        {
            var random = new Random(seed);
            for (int i = 0; i < 1_000; i++)
            {
                int taken = -1;
                bool TryTake() => (taken = places[0].TryBegin(most) ? 0 : places[1].TryBegin(most) ? 1 : -1) >= 0;
                using var cancellation = new CancellationTokenSource();
                ValueTask<Admission> entering = queue.Waiting == 0 && TryTake()
                    ? new(Admission.Admitted)
                    : queue.WaitAsync(places, TryTake, new QueueSettings(length, TimeSpan.FromMilliseconds(5)), cancellation.Token);
                if (random.Next(4) == 0) await cancellation.CancelAsync();
                if (await entering != Admission.Admitted)
                {
                    Interlocked.Increment(ref turnedAway);
                    continue;
                }
                Interlocked.Increment(ref admitted);
                int now = Interlocked.Increment(ref running[taken]);
                for (int seen = Volatile.Read(ref highest[taken]); now > seen; seen = Volatile.Read(ref highest[taken])) Interlocked.CompareExchange(ref highest[taken], now, seen);
                if (random.Next(8) == 0) await Task.Yield();
                Interlocked.Decrement(ref running[taken]);
                places[taken].End();
                queue.Serve();
            }
        }))), TimeSpan.FromSeconds(60));
        Assert.All(highest, h => Assert.InRange(h, 0, most));
        Assert.Equal((0, 0, 0, 12_000), (places[0].InFlight, places[1].InFlight, queue.Waiting, admitted + turnedAway));
    }
}
