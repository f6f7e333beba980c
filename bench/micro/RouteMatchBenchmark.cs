using BenchmarkDotNet.Attributes;
using Gateway.Bench.Micro.Cases;
using Gateway.Core.Router;
using Gateway.Core.Tests.Router;

namespace Gateway.Bench.Micro;

[MemoryDiagnoser]
public class RouteMatchBenchmark
{
    private RouteTable<string> _table = null!;
    private RouteCaseRequest _request;

    [Params(1, 1000, 100_000)]
    public int Routes { get; set; }

    [ParamsAllValues]
    public RouteCase Case { get; set; }

    [GlobalSetup]
    public void Compile()
    {
        _table = RouteTable<string>.Compile(RouteCases.Rules(Routes, Case));
        _request = RouteCases.Request(Routes, Case);
    }

    [Benchmark]
    public string? RouteMatch() => _table.Match(_request);
}

/// <summary>The plain reference that the tests hold the table to: what the compiled structure is worth.</summary>
[MemoryDiagnoser]
public class NaiveRouteMatchBenchmark
{
    private NaiveRouter _naive = null!;
    private string _host = "", _path = "";

    [Params(1, 1000)]
    public int Routes { get; set; }

    [GlobalSetup]
    public void Prepare()
    {
        _naive = new NaiveRouter(RouteCases.Rules(Routes, RouteCase.Prefix));
        RouteCaseRequest request = RouteCases.Request(Routes, RouteCase.Prefix);
        (_host, _path) = (request.Host.ToString(), request.RawPath.ToString());
    }

    [Benchmark]
    public string? NaiveMatch() => _naive.Match("GET", _host, _path, "", static _ => []);
}
