namespace Gateway.ControlPlane.Pull;

/// <summary>How it stands with the pulls. Immutable.</summary>
/// <param name="Url">What is asked for.</param>
public sealed record PullStatus(Uri Url)
{
    /// <summary>When the distributor last answered as it should; null for not yet.</summary>
    public DateTimeOffset? LastSuccess { get; init; }

    /// <summary>The last failure, also when it is over; null for none yet.</summary>
    public string? LastError { get; init; }

    public DateTimeOffset? LastErrorAt { get; init; }

    /// <summary>Failures since the last success.</summary>
    public int Failures { get; init; }

    /// <summary>When the next request goes out; null while one is on its way or waits at the distributor for news.</summary>
    public DateTimeOffset? NextTry { get; init; }

    /// <summary>The distributor's latest bundle, when it did not pass.</summary>
    public RefusedBundle? Refused { get; init; }

    public bool IsGood => Failures == 0 && Refused is null;

    public override string ToString()
    {
        List<string> parts = [$"{Url}", LastSuccess is { } success ? $"last success {Text(success)}" : "no success yet"];
        if (LastError is not null) parts.Add($"last error {Text(LastErrorAt!.Value)}{(Failures > 1 ? $" ({Failures} in a row)" : "")}: {LastError}");
        if (Refused is { } refused) parts.Add($"bundle {refused.Sequence} was refused {Text(refused.At)} and is not tried again: {refused.Code}: {refused.Reason}");
        parts.Add(NextTry is { } next ? $"next try {Text(next)}" : "asking now");
        return string.Join("; ", parts);
    }

    private static string Text(DateTimeOffset time) => time.UtcDateTime.ToString("yyyy-MM-ddTHH:mm:ssZ", System.Globalization.CultureInfo.InvariantCulture);
}
