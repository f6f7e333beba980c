namespace Gateway.DataPlane.Proxy.Http1;

/// <summary>
/// The part of an upstream request's head that is the same for the next request of the connection: the client's end-to-end fields and what
/// this hop says of itself. Kept once the same fields have come twice, so that a connection of one request pays nothing for it.
/// </summary>
internal sealed class UpstreamFieldBlock
{
    private const int MostKept = 4096;

    private byte[]? _block;
    private (int Fields, string Protocol, string Scheme, bool Trusted) _of = (-1, "", "", false);

    /// <summary>What was kept for exactly these.</summary>
    public bool TryGet(int fields, string protocol, string scheme, bool trusted, out ReadOnlySpan<byte> block)
    {
        block = _block;
        return _block is not null && IsOf(fields, protocol, scheme, trusted);
    }

    public void Offer(int fields, string protocol, string scheme, bool trusted, ReadOnlySpan<byte> block)
    {
        if (!IsOf(fields, protocol, scheme, trusted))
        {
            _of = (fields, protocol, scheme, trusted);
            _block = null;
        }
        else if (block.Length <= MostKept) _block = block.ToArray();
    }

    private bool IsOf(int fields, string protocol, string scheme, bool trusted) => _of.Fields == fields && _of.Trusted == trusted && _of.Protocol == protocol && _of.Scheme == scheme;
}
