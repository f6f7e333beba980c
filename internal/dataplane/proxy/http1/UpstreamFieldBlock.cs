namespace Gateway.DataPlane.Proxy.Http1;

/// <summary>
/// The part of an upstream request's head that is the same for the next request of the connection: the client's end-to-end fields and what
/// this hop says of itself and of its peer. Kept once the same fields have come twice, so that a connection of one request pays nothing for it.
/// </summary>
/// <remarks>
/// All that the block depends on is in its key: it lives longer than a connection, whose place another client's takes with the very same bytes.
/// </remarks>
internal sealed class UpstreamFieldBlock
{
    private const int MostKept = 4096;

    private byte[]? _block;
    private (int Fields, string Protocol, string Scheme, string? Peer, bool Trusted) _of = (-1, "", "", null, false);

    /// <summary>What was kept for exactly these.</summary>
    /// <param name="fields">The version of the client's fields, Host among them.</param>
    /// <param name="peer">Its address as text; null when it has none.</param>
    public bool TryGet(int fields, string protocol, string scheme, string? peer, bool trusted, out ReadOnlySpan<byte> block)
    {
        block = _block;
        return _block is not null && IsOf(fields, protocol, scheme, peer, trusted);
    }

    public void Offer(int fields, string protocol, string scheme, string? peer, bool trusted, ReadOnlySpan<byte> block)
    {
        if (!IsOf(fields, protocol, scheme, peer, trusted))
        {
            _of = (fields, protocol, scheme, peer, trusted);
            _block = null;
        }
        else if (block.Length <= MostKept) _block = block.ToArray();
    }

    private bool IsOf(int fields, string protocol, string scheme, string? peer, bool trusted) =>
        _of.Fields == fields && _of.Trusted == trusted && _of.Protocol == protocol && _of.Scheme == scheme && _of.Peer == peer;
}
