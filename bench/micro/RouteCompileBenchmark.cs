using BenchmarkDotNet.Attributes;
using Gateway.Bench.Micro.Cases;
using Gateway.Core.Router;

namespace Gateway.Bench.Micro;

[MemoryDiagnoser]
public class RouteCompileBenchmark
{
    private RouteRule<string>[] _rules = [];

    [Params(1000, 10_000, 100_000)]
    public int Routes { get; set; }

    [GlobalSetup]
    public void Prepare() => _rules = RouteCases.Rules(Routes, RouteCase.Prefix);

    [Benchmark]
    public RouteTable<string> RouteCompile() => RouteTable<string>.Compile(_rules);
}
