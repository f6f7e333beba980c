using Microsoft.AspNetCore.Connections.Features;

namespace Gateway.DataPlane.Server;

/// <summary>The wish that a connection close when it can, for connections that Kestrel does not know of. Thread safe.</summary>
internal sealed class CloseNotice : IConnectionLifetimeNotificationFeature
{
    private readonly CancellationTokenSource _requested = new();

    public CancellationToken ConnectionClosedRequested
    {
        get => _requested.Token;
        set => throw new NotSupportedException();
    }

    public void RequestClose() => _requested.Cancel();
}
