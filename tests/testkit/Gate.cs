namespace Gateway.TestKit;

/// <summary>
/// A named point in a script at which a server or a client stops until the test lets it go on. The test can wait until someone stands
/// there, so that "while the response is half sent" is a fact and not a guess. Thread safe.
/// </summary>
public sealed class Gate(string name)
{
    private readonly SemaphoreSlim _passes = new(0);
    private readonly TaskCompletionSource _open = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private int _arrived;

    public string Name { get; } = name;

    /// <summary>How many have come to the gate so far, whether or not they went on.</summary>
    public int Arrived => Volatile.Read(ref _arrived);

    /// <summary>Called by the script: stands at the gate until it is opened or a pass is given.</summary>
    public async Task PassAsync(CancellationToken cancellationToken = default)
    {
        _ = Interlocked.Increment(ref _arrived);
        using var stop = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        Task pass = _passes.WaitAsync(stop.Token);
        Task first = await Task.WhenAny(pass, _open.Task);
        if (first == pass)
        {
            await pass;
            return;
        }
        // The gate is open for all: give up the place in the queue for a pass.
        await stop.CancelAsync();
        try { await pass; }
        catch (OperationCanceledException) { }
    }

    /// <summary>Called by the test: waits until that many have come.</summary>
    public Task WaitForArrivalAsync(int count = 1, TimeSpan? deadline = null) =>
        Eventually.Until($"{count} at gate '{Name}' (so far {Arrived})", () => Arrived >= count, deadline);

    /// <summary>Lets that many go on, now or when they come.</summary>
    public void LetPass(int count = 1) => _passes.Release(count);

    /// <summary>Lets everyone go on, from now on.</summary>
    public void Open() => _open.TrySetResult();
}
