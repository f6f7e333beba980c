using BenchmarkDotNet.Attributes;
using Gateway.Bench.Micro.Cases;
using Gateway.Core.Pool;

namespace Gateway.Bench.Micro;

[MemoryDiagnoser]
public class BalancerBenchmark
{
    private Balancer _balancer = null!;

    [ParamsAllValues]
    public BalancerKind Kind { get; set; }

    [Params(4, 64)]
    public int Endpoints { get; set; }

    [GlobalSetup]
    public void Prepare() => _balancer = Balancers.Create(Kind, CoreOperations.Members(Endpoints), PickRandom.PerThread);

    [Benchmark]
    public int Pick() => _balancer.Pick(default);

    [Benchmark]
    public int PickForRetry() => _balancer.Pick(new PickContext(0b10));
}
