using Gateway.Core.Outlier;

namespace Gateway.DataPlane.Runtime;

/// <summary>How a pool's endpoints are watched. Compared by value: what is equal in the next snapshot goes on undisturbed.</summary>
/// <param name="Passive">Null: attempts without an answer eject nobody.</param>
/// <param name="Outlier">Null: outliers are not looked for.</param>
/// <param name="Probe">Null: endpoints are not probed.</param>
internal sealed record HealthPlan(PassiveSettings? Passive, OutlierSettings? Outlier, ProbePlan? Probe)
{
    public static readonly HealthPlan None = new(null, null, null);
}

internal enum ProbeKind : byte
{
    Http,
    Tcp,
    Grpc,
}

/// <summary>How an endpoint is probed.</summary>
/// <param name="Path">For <see cref="ProbeKind.Http"/>: the request target.</param>
/// <param name="Host">For <see cref="ProbeKind.Http"/>: the Host field; null for the endpoint's address.</param>
/// <param name="Service">For <see cref="ProbeKind.Grpc"/>: the service to ask about; empty for the server as a whole.</param>
/// <param name="Expected">For <see cref="ProbeKind.Http"/>: the good statuses.</param>
/// <param name="Body">For <see cref="ProbeKind.Http"/>: what the body must contain; null for anything.</param>
/// <param name="UnhealthyAfter">Bad probes in a row; the first probe of an endpoint decides alone.</param>
/// <param name="HealthyAfter">Good probes in a row.</param>
internal sealed record ProbePlan(
    ProbeKind Kind, string Path, string? Host, string Service, StatusRanges Expected, string? Body,
    TimeSpan Interval, TimeSpan Timeout, int UnhealthyAfter, int HealthyAfter);
