using System.Net.Sockets;
using Gateway.DataPlane.Runtime;
using Gateway.DataPlane.Transport;

namespace Gateway.DataPlane.Health;

/// <summary>What a probe said.</summary>
/// <param name="Result">In one word, as metrics have it.</param>
/// <param name="Detail">For a person.</param>
internal readonly record struct ProbeResult(bool IsGood, string Result, string Detail)
{
    public static ProbeResult Good(string detail) => new(true, "success", detail);

    public static ProbeResult Bad(string result, string detail) => new(false, result, detail);
}

/// <summary>One way to ask an endpoint whether it is well, over connections of its own. One call at a time.</summary>
internal abstract class Probe : IDisposable
{
    /// <summary>What it does, for a person.</summary>
    public abstract string Name { get; }

    /// <summary>Asks once. What the endpoint does wrong is an answer; exceptions are those of sockets, HTTP and cancellation.</summary>
    public abstract Task<ProbeResult> AskAsync(CancellationToken cancellationToken);

    public abstract void Dispose();

    public static Probe Create(ProbePlan plan, UpstreamSettings settings) => plan.Kind switch
    {
        ProbeKind.Tcp => new TcpProbe(settings),
        ProbeKind.Grpc => new GrpcProbe(plan, settings),
        _ => new HttpProbe(plan, settings),
    };

    /// <summary>What an exception of <see cref="AskAsync"/> says.</summary>
    public static ProbeResult Failed(Exception error)
    {
        string detail = error.GetBaseException().Message.TrimEnd('.');
        bool connecting = error is SocketException
            || error is HttpRequestException { HttpRequestError: HttpRequestError.ConnectionError or HttpRequestError.NameResolutionError or HttpRequestError.SecureConnectionError };
        return connecting ? ProbeResult.Bad("connect_failed", $"not connected: {detail}") : ProbeResult.Bad("error", detail);
    }
}
