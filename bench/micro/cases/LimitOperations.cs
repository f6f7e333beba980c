using Gateway.Core.Limits;
using Gateway.Core.Pool;

namespace Gateway.Bench.Micro.Cases;

/// <summary>What admission costs a request that finds a slot.</summary>
public static class LimitOperations
{
    public static readonly TimeSpan QueueTimeout = TimeSpan.FromMilliseconds(200);

    public static IEnumerable<(string Name, int Times, Action Run)> All()
    {
        var limiter = new ConcurrencyLimiter(TimeProvider.System);
        yield return ("Limiter.EnterAndLeave", 10_000, () =>
        {
            if (limiter.TryEnter(512)) limiter.Leave(512, QueueTimeout);
        }
        );
        var queue = new RoomQueue(TimeProvider.System);
        var endpoint = new EndpointLoad();
        yield return ("Limiter.EndpointRoom", 10_000, () =>
        {
            if (queue.Waiting != 0 || !endpoint.TryBegin(512)) return;
            endpoint.End();
            queue.Serve();
        }
        );
        var rates = new RateTable(65_536, seed: 1);
        Rate rate = Rate.PerSecond(1000, 1000, TimeSpan.TicksPerSecond);
        ulong client = 0;
        yield return ("Limiter.Rate", 10_000, () => rates.TryTake(client++ % 10_000, (long)client, rate, out _));
        var gradient = new GradientLimit(1000);
        long now = 0;
        yield return ("Limiter.Gradient", 10_000, () => gradient.Record(++now, 10, 8, 512));
    }
}
