namespace Gateway.DataPlane.Server;

/// <summary>On a connection that was served in front of Kestrel and needs it now: what comes before its requests is done.</summary>
/// <param name="notice">What the drain asked of the connection until then.</param>
internal sealed class HandedOver(CloseNotice notice)
{
    private readonly TaskCompletionSource _ended = new();

    public CloseNotice Notice => notice;

    /// <summary>Kestrel is done with it.</summary>
    public Task Ended => _ended.Task;

    public void End() => _ended.TrySetResult();
}
