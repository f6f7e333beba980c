using System.Buffers;
using Microsoft.AspNetCore.Http;

namespace Gateway.ControlPlane.Admin;

/// <summary>A request body in one rented buffer, which goes back with <see cref="Dispose"/>. Not thread safe.</summary>
internal sealed class RequestBody : IDisposable
{
    private const int FirstBuffer = 16 << 10;
    private byte[] _buffer = [];
    private int _length;

    public ReadOnlyMemory<byte> Bytes => _buffer.AsMemory(0, _length);

    /// <summary>Null when the body is longer than <paramref name="most"/>; then not all of it was read.</summary>
    public static async Task<RequestBody?> ReadAsync(HttpRequest request, int most, CancellationToken cancellationToken)
    {
        if (request.ContentLength > most) return null;
        RequestBody body = new();
        try
        {
            // One byte more than there may be tells a full body from one that goes on.
            body._buffer = ArrayPool<byte>.Shared.Rent((int)(request.ContentLength ?? FirstBuffer) + 1);
            while (true)
            {
                int read = await request.Body.ReadAsync(body._buffer.AsMemory(body._length), cancellationToken);
                if (read == 0) return body;
                body._length += read;
                if (body._length > most) break;
                if (body._length == body._buffer.Length) body.Grow();
            }
        }
        catch
        {
            body.Dispose();
            throw;
        }
        body.Dispose();
        return null;
    }

    public void Dispose()
    {
        if (_buffer.Length > 0) ArrayPool<byte>.Shared.Return(_buffer);
        _buffer = [];
        _length = 0;
    }

    private void Grow()
    {
        byte[] larger = ArrayPool<byte>.Shared.Rent(_buffer.Length * 2);
        _buffer.AsSpan(0, _length).CopyTo(larger);
        ArrayPool<byte>.Shared.Return(_buffer);
        _buffer = larger;
    }
}
