using Gateway.DataPlane.Transport;

namespace Gateway.DataPlane.Proxy.Http1;

/// <summary>An upgraded upstream connection as one stream: what came with the response's head is read first.</summary>
internal sealed class Http1Tunnel(Http1Response response, LoopConnection connection) : Stream
{
    private readonly Http1RequestBody _out = new(connection, chunked: false);

    public override bool CanRead => true;
    public override bool CanSeek => false;
    public override bool CanWrite => true;
    public override long Length => throw new NotSupportedException();

    public override long Position
    {
        get => throw new NotSupportedException();
        set => throw new NotSupportedException();
    }

    public override async ValueTask<int> ReadAsync(Memory<byte> buffer, CancellationToken cancellationToken = default)
    {
        // A tunnel whose other direction has ended ends whole: there is nothing to go on with after a cancelled read.
        await using (cancellationToken.UnsafeRegister(static c => ((LoopConnection)c!).End(), connection))
        {
            return await response.ReadAsync(buffer, cancellationToken);
        }
    }

    public override ValueTask WriteAsync(ReadOnlyMemory<byte> buffer, CancellationToken cancellationToken = default) => _out.WriteAsync(buffer, cancellationToken);

    public override Task FlushAsync(CancellationToken cancellationToken) => Task.CompletedTask;

    public override void Flush()
    {
    }

    protected override void Dispose(bool disposing)
    {
        if (disposing) connection.End();
        base.Dispose(disposing);
    }

    public override int Read(byte[] buffer, int offset, int count) => throw new NotSupportedException();

    public override long Seek(long offset, SeekOrigin origin) => throw new NotSupportedException();

    public override void SetLength(long value) => throw new NotSupportedException();

    public override void Write(byte[] buffer, int offset, int count) => throw new NotSupportedException();
}
