using System.Net;
using Microsoft.AspNetCore.Connections;

namespace Gateway.DataPlane.Server;

/// <summary>Gives a server the listener made for it instead of a socket of its own.</summary>
internal sealed class AttachedListenerFactory(AttachedListener listener) : IConnectionListenerFactory
{
    /// <summary>The address of a pipeline that other pipelines dispatch to and that accepts nothing itself.</summary>
    public static EndPoint Nowhere { get; } = new NowhereEndPoint();

    public ValueTask<IConnectionListener> BindAsync(EndPoint endpoint, CancellationToken cancellationToken = default) =>
        new(ReferenceEquals(endpoint, Nowhere) ? new AttachedListener(Nowhere, new ConnectionSet()) : listener);

    private sealed class NowhereEndPoint : EndPoint
    {
        public override string ToString() => "nowhere";
    }
}
