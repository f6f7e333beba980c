namespace Gateway.ControlPlane.Pull;

/// <summary>How one request for the latest bundle ended.</summary>
internal sealed record PullAnswer
{
    /// <summary>The word of the metric when it failed: <c>unreachable</c>, <c>timeout</c>, <c>unauthorized</c>, <c>not_found</c>, <c>too_large</c>, <c>http_error</c>; null when it did not.</summary>
    public string? Failure { get; init; }

    /// <summary>For a person: what failed.</summary>
    public string Reason { get; init; } = "";

    /// <summary>The bundle; empty with a failure, and when there is no other than the one known (304).</summary>
    public ReadOnlyMemory<byte> Bundle { get; init; }

    /// <summary>As it was in the answer; null for none.</summary>
    public string? ETag { get; init; }

    /// <summary>The server waits for news by itself (RFC 7240, <c>Preference-Applied: wait</c>).</summary>
    public bool Waits { get; init; }

    /// <summary>What the server asks for (<c>Retry-After</c>); null for nothing.</summary>
    public TimeSpan? RetryAfter { get; init; }
}
