namespace Gateway.DataPlane.Runtime;

/// <param name="Address">As a document writes an endpoint's.</param>
/// <param name="Priority">As in a document.</param>
internal readonly record struct DiscoveredEndpoint(string Address, int Weight, int Priority);

/// <summary>Finds endpoints while snapshots refer to it, each time anew. Known by its settings: pools with the same share it. Thread safe.</summary>
internal abstract class EndpointDiscovery(object key) : SharedState
{
    private readonly TaskCompletionSource _first = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private IReadOnlyList<DiscoveredEndpoint> _found = [];

    public object Key { get; } = key;

    /// <summary>What was found last; empty before that.</summary>
    public IReadOnlyList<DiscoveredEndpoint> Found => Volatile.Read(ref _found);

    /// <summary>Completes when the first search has ended, with or without something found, and pools have what there is.</summary>
    public Task First => _first.Task;

    /// <summary>Called after <see cref="Found"/> has changed, on the thread of the search. Set by the registry before <see cref="Start"/>.</summary>
    internal Action<EndpointDiscovery>? Changed { get; set; }

    /// <summary>The models that follow it. Read and written under the registry's lock.</summary>
    internal List<PoolModel> Followers { get; } = [];

    /// <summary>Begins to search; called once, when the first snapshot that refers to it is published.</summary>
    internal abstract void Start();

    /// <summary>Notes what was found. True when it is not what was found last, whatever the order.</summary>
    private protected bool Take(IReadOnlyList<DiscoveredEndpoint> found)
    {
        DiscoveredEndpoint[] sorted = [.. found.DistinctBy(static e => e.Address).OrderBy(static e => e.Address, StringComparer.Ordinal)];
        if (sorted.AsSpan().SequenceEqual([.. Found])) return false;
        Volatile.Write(ref _found, sorted);
        Changed?.Invoke(this);
        return true;
    }

    private protected void EndFirst() => _first.TrySetResult();
}

/// <summary>Makes the endpoints of a pool's model from those of its document and those that were found.</summary>
internal abstract class EndpointSource
{
    public abstract EndpointDiscovery Discovery { get; }

    public abstract EndpointModel[] Make(IReadOnlyList<DiscoveredEndpoint> found);
}
