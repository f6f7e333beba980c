namespace Gateway.DataPlane.Transport;

/// <summary>Who is told that a <see cref="LoopConnection"/> may have something to receive, in place of a wait. On the loop's thread.</summary>
internal interface IReceiver
{
    /// <summary>What it touches when it is told; see <see cref="LoopSocket.Touched"/>.</summary>
    object[] Touched { get; }

    /// <summary>There may be bytes, or the end, or the connection is closed. Told again until it is the connection's receiver no more.</summary>
    void OnReceivable();
}
