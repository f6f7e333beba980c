using Gateway.Config;
using Gateway.Core.Pool;

namespace Gateway.DataPlane.Runtime;

/// <summary>A candidate that serves beside the live snapshot: who comes to it, and what becomes of them. Immutable but for what it counts.</summary>
/// <param name="candidate">Adopted.</param>
/// <param name="listeners">The candidate's models by <see cref="ListenerState.Slot"/>; null where only the live snapshot serves.</param>
/// <param name="key">What draws a request; null for chance.</param>
/// <param name="salt">Apart from other canaries.</param>
internal sealed class CanaryRun(GatewaySnapshot candidate, ListenerModel?[] listeners, RequestKey? key, string salt, CanaryCounts counts)
{
    /// <summary>Shares are exact to one of so many.</summary>
    public const int Units = 10_000;

    private readonly ulong _salt = StableHash.Of(salt);

    public GatewaySnapshot Candidate { get; } = candidate;

    /// <summary>Of <see cref="TimeProvider.GetTimestamp"/>.</summary>
    public long StartedAt { get; init; }
    public RequestKey? Key { get; } = key;
    public CanaryCounts Counts { get; } = counts;

    /// <summary>The candidate serves requests of the listener: it has it as it runs.</summary>
    public bool Serves(ListenerState listener) => (uint)listener.Slot < (uint)listeners.Length && listeners[listener.Slot] is not null;

    /// <summary>
    /// The place of a request among <see cref="Units"/>: the candidate serves those below its share, so who is served by it stays when the
    /// share grows. By chance when <paramref name="text"/> is empty.
    /// </summary>
    /// <param name="text">The value of the key.</param>
    public int BucketOf(ReadOnlySpan<char> text) =>
        (int)((text.IsEmpty ? PickRandom.PerThread.Next() : StableHash.Of(StableHash.Of(text), _salt)) % Units);
}
