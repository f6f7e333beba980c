using Gateway.ControlPlane.Apply;

namespace Gateway.ControlPlane.Tests.Fleet;

/// <summary>A fleet that says what the test wants.</summary>
internal sealed class FakeSharing : IChangeSharing
{
    private long _sequence;

    /// <summary>Why nothing is shared; null: everything is.</summary>
    public Sharing? Refusal { get; set; }

    /// <summary>The version of a rollout that runs at another replica; null for none.</summary>
    public string? Elsewhere { get; set; }

    public string? RolloutSeen { get; set; }

    public string? AwaySeen { get; set; }

    public async Task<Sharing> ShareAsync(SharedChange change, Func<Task<bool>> publish)
    {
        if (Refusal is { } refusal && !change.Always) return refusal;
        return await publish() ? new Sharing(SharingResult.Shared, ++_sequence) : new Sharing(SharingResult.NotPublished);
    }

    public Task<string?> EndRolloutAsync(string reason)
    {
        (string? ended, Elsewhere) = (Elsewhere, null);
        return Task.FromResult(ended);
    }
}
