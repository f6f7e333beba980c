using System.Buffers;
using Gateway.DataPlane.Transport;

namespace Gateway.DataPlane.Proxy.Http1;

/// <summary>Where a request body goes: to the connection, as it is or in chunks. Write-only; one write at a time.</summary>
internal sealed class Http1RequestBody(LoopConnection connection, bool chunked) : Stream
{
    // A chunk is put together and sent in one call up to here; the copy is cheaper than two calls more.
    private const int LargestChunk = 32 * 1024;
    private const int ChunkHead = 6, ChunkTail = 2;

    public override bool CanRead => false;
    public override bool CanSeek => false;
    public override bool CanWrite => true;
    public override long Length => throw new NotSupportedException();

    public override long Position
    {
        get => throw new NotSupportedException();
        set => throw new NotSupportedException();
    }

    public override async ValueTask WriteAsync(ReadOnlyMemory<byte> buffer, CancellationToken cancellationToken = default)
    {
        if (!chunked)
        {
            await SendAsync(buffer);
            return;
        }
        byte[] framed = LoopBuffers.Rent(Math.Min(buffer.Length, LargestChunk) + ChunkHead + ChunkTail);
        try
        {
            while (!buffer.IsEmpty)
            {
                ReadOnlyMemory<byte> data = buffer[..Math.Min(buffer.Length, LargestChunk)];
                buffer = buffer[data.Length..];
                await SendAsync(framed.AsMemory(0, Frame(data.Span, framed)));
            }
        }
        finally
        {
            LoopBuffers.Return(framed);
        }
    }

    /// <summary>The last chunk, with the trailer section as field lines; empty for none.</summary>
    public async ValueTask FinishAsync(string trailers)
    {
        if (chunked) await SendAsync(System.Text.Encoding.Latin1.GetBytes($"0\r\n{trailers}\r\n"));
    }

    public override Task FlushAsync(CancellationToken cancellationToken) => Task.CompletedTask;

    public override void Flush()
    {
    }

    public override Task WriteAsync(byte[] buffer, int offset, int count, CancellationToken cancellationToken) =>
        WriteAsync(buffer.AsMemory(offset, count), cancellationToken).AsTask();

    public override void Write(byte[] buffer, int offset, int count) => throw new NotSupportedException();

    public override int Read(byte[] buffer, int offset, int count) => throw new NotSupportedException();

    public override long Seek(long offset, SeekOrigin origin) => throw new NotSupportedException();

    public override void SetLength(long value) => throw new NotSupportedException();

    private async ValueTask SendAsync(ReadOnlyMemory<byte> bytes)
    {
        // The client's pipe may have brought us elsewhere.
        await connection.Loop.Switch();
        if (!await connection.SendAsync(bytes)) throw new IOException("The upstream closed the connection.");
    }

    private static int Frame(ReadOnlySpan<byte> data, Span<byte> framed)
    {
        data.Length.TryFormat(framed, out _, "X4");
        "\r\n"u8.CopyTo(framed[4..]);
        data.CopyTo(framed[ChunkHead..]);
        "\r\n"u8.CopyTo(framed[(ChunkHead + data.Length)..]);
        return ChunkHead + data.Length + ChunkTail;
    }
}
