namespace Gateway.DataPlane.Runtime;

/// <summary>Which snapshot a request is bound to while a candidate is tried beside the live one.</summary>
internal enum Variant : byte
{
    /// <summary>None is tried, or not on this listener.</summary>
    None,
    Stable,
    Canary,
}

internal static class Variants
{
    private static readonly string?[] Labels = [null, "stable", "canary"];

    /// <summary>As logs and metrics have it; null for none.</summary>
    public static string? LabelOf(Variant variant) => Labels[(int)variant];
}
