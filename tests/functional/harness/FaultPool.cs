using Gateway.TestKit;

namespace Gateway.Functional.Tests.Harness;

/// <summary>Origins that can be made faulty, of one protocol, and documents with one route to a pool of them.</summary>
internal sealed class FaultPool : IAsyncDisposable
{
    private readonly TestCertificates _certificates = new();
    private readonly OriginProtocol _protocol;

    public FaultPool(OriginProtocol protocol, int origins)
    {
        _protocol = protocol;
        Origins = [.. Enumerable.Range(0, origins).Select(i => FaultOrigin.Start(protocol, _certificates, $"o{i}"))];
    }

    public FaultOrigin[] Origins { get; }

    public long Hits => Origins.Sum(static o => o.Hits);

    public string[] Addresses => [.. Origins.Select(static o => o.Address)];

    public void Become(Fault fault)
    {
        foreach (FaultOrigin origin in Origins) origin.Become(fault);
    }

    /// <param name="route">More members of the route "all".</param>
    /// <param name="pool">More members of the pool "main".</param>
    public string Document(string route, string pool = "")
    {
        string spoken = _protocol switch
        {
            OriginProtocol.Http1 => "\"protocol\": \"http1\"",
            OriginProtocol.H2c => "\"protocol\": \"h2c\"",
            _ => $"\"protocol\": \"https\", \"tls\": {{ \"ca\": \"{_certificates.CaFile}\" }}",
        };
        return Doc.Of(Doc.Route("all", more: route), Doc.PoolWith("main", pool.Length == 0 ? spoken : $"{spoken}, {pool}", Addresses), more: Doc.NoAccessLog);
    }

    public async ValueTask DisposeAsync()
    {
        foreach (FaultOrigin origin in Origins) await origin.DisposeAsync();
        _certificates.Dispose();
    }
}
