namespace Gateway.DataPlane.Runtime;

/// <summary>What new requests are served from, as one value. Immutable: another share is another value.</summary>
/// <param name="live">The current snapshot.</param>
/// <param name="canary">The candidate beside it; null for none.</param>
/// <param name="units">Of 10 000, how many the candidate serves.</param>
internal sealed class Serving(GatewaySnapshot live, CanaryRun? canary = null, int units = 0)
{
    public GatewaySnapshot Live { get; } = live;
    public CanaryRun? Canary { get; } = canary;
    public int Units { get; } = units;

    public bool Has(GatewaySnapshot snapshot) => ReferenceEquals(snapshot, Live) || (Canary is not null && ReferenceEquals(snapshot, Canary.Candidate));
}
