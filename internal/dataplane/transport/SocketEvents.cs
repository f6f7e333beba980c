namespace Gateway.DataPlane.Transport;

/// <summary>
/// Who is told of a socket's events: an indirection, so that a connection can change hands (a tunnel, another protocol's state machine)
/// without leaving its loop. Called on the loop's thread only.
/// </summary>
internal abstract class SocketEvents
{
    /// <param name="events">epoll's bits. Edge-triggered: said once per change, so what they announce must be remembered until it is used up.</param>
    public abstract void OnEvents(uint events);

    /// <summary>Once a second: the place to look at deadlines.</summary>
    /// <param name="nowMilliseconds">The loop's clock, as <see cref="EventLoop.NowMilliseconds"/>.</param>
    public virtual void OnSweep(long nowMilliseconds)
    {
    }

    /// <summary>
    /// The socket is about to be closed under the sink, because its handler threw or because the loop ends: whoever is above must be told
    /// that nothing comes any more. Called at most once; may close the socket itself.
    /// </summary>
    /// <param name="fault">What was thrown; null when the loop ends.</param>
    public virtual void OnLost(Exception? fault)
    {
    }
}
