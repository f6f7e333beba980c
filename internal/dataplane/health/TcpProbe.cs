using System.Net;
using System.Net.Sockets;
using Gateway.DataPlane.Transport;

namespace Gateway.DataPlane.Health;

/// <summary>Connects, and closes.</summary>
internal sealed class TcpProbe(UpstreamSettings settings) : Probe
{
    private readonly EndPointSource _endPoints = new(settings.Address);

    public override string Name => "TCP connect";

    public override async Task<ProbeResult> AskAsync(CancellationToken cancellationToken)
    {
        EndPoint[] endPoints = _endPoints.Fixed is { } known ? [known] : await _endPoints.ResolveAsync(cancellationToken);
        SocketException? failure = null;
        foreach (EndPoint endPoint in endPoints)
        {
            using var socket = endPoint.AddressFamily == AddressFamily.Unix
                ? new Socket(AddressFamily.Unix, SocketType.Stream, ProtocolType.Unspecified)
                : new Socket(endPoint.AddressFamily, SocketType.Stream, ProtocolType.Tcp);
            try
            {
                await socket.ConnectAsync(endPoint, cancellationToken);
                return ProbeResult.Good("connected");
            }
            catch (SocketException e)
            {
                failure = e;
            }
        }
        throw failure ?? new SocketException((int)SocketError.HostNotFound);
    }

    public override void Dispose()
    {
    }
}
