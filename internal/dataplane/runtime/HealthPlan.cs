using Gateway.Core.Outlier;

namespace Gateway.DataPlane.Runtime;

/// <summary>How a pool's endpoints are watched. Compared by value: what is equal in the next snapshot goes on undisturbed.</summary>
/// <param name="Passive">Null: attempts without an answer eject nobody.</param>
/// <param name="Outlier">Null: outliers are not looked for.</param>
internal sealed record HealthPlan(PassiveSettings? Passive, OutlierSettings? Outlier)
{
    public static readonly HealthPlan None = new(null, null);
}
