namespace Gateway.DataPlane.Server;

/// <summary>Sockets that are bound and servers that are started but get no connection yet. Ends with exactly one of its two methods.</summary>
internal sealed class ListenerPlan(
    ListenerSet set, List<ListenerSet.RunningListener> next, List<ListenSocket> bound, List<ListenerServer> started)
{
    /// <param name="hold">Called for each listener that is gone; what it returns is called when no new request can come on that listener.</param>
    public Task CommitAsync(Func<Action> hold) => set.CommitAsync(next, started, hold);

    public Task AbandonAsync() => ListenerSet.ReleaseAsync(bound, started);
}
