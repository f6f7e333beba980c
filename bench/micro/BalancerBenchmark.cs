using BenchmarkDotNet.Attributes;
using Gateway.Bench.Micro.Cases;
using Gateway.Core.Pool;

namespace Gateway.Bench.Micro;

/// <summary>One pick of each balancer, and of the first thing that comes to mind: a list that is gone through under a lock.</summary>
[MemoryDiagnoser]
public class BalancerBenchmark
{
    private const int Picks = 20_000;

    private Balancer _balancer = null!;
    private NaivePick _naive = null!;

    [ParamsAllValues]
    public BalancerKind Kind { get; set; }

    [Params(4, 64)]
    public int Endpoints { get; set; }

    [GlobalSetup]
    public void Prepare()
    {
        _balancer = Balancers.Create(new Balancing(Kind, BoundedLoad: 1.25), CoreOperations.Members(Endpoints), PickRandom.PerThread, TimeProvider.System);
        _naive = new NaivePick(CoreOperations.Members(Endpoints));
    }

    [Benchmark(Baseline = true)]
    public int LockAndScan() => _naive.Pick();

    [Benchmark]
    public int Pick() => _balancer.Pick(new PickContext(0, PickRandom.PerThread.Next()));

    [Benchmark]
    public int PickForRetry() => _balancer.Pick(new PickContext(0b10, PickRandom.PerThread.Next()));

    [Benchmark(OperationsPerInvoke = Picks * 4)]
    public void LockAndScan_FourThreads() => OnFourThreads(() => _naive.Pick());

    [Benchmark(OperationsPerInvoke = Picks * 4)]
    public void Pick_FourThreads() => OnFourThreads(() => _balancer.Pick(new PickContext(0, PickRandom.PerThread.Next())));

    private static void OnFourThreads(Func<int> pick) => Parallel.For(0, 4, new ParallelOptions { MaxDegreeOfParallelism = 4 }, _ =>
    {
        for (int i = 0; i < Picks; i++) pick();
    });

    /// <summary>The member with the fewest requests per weight, under a lock.</summary>
    private sealed class NaivePick(BalancerMember[] members)
    {
        private readonly Lock _gate = new();
        private readonly List<BalancerMember> _members = [.. members];

        public int Pick()
        {
            lock (_gate)
            {
                int best = 0;
                for (int i = 1; i < _members.Count; i++)
                {
                    if ((double)_members[i].Load.InFlight / _members[i].Weight < (double)_members[best].Load.InFlight / _members[best].Weight) best = i;
                }
                return best;
            }
        }
    }
}
