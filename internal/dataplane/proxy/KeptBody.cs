using System.Buffers;

namespace Gateway.DataPlane.Proxy;

/// <summary>
/// What has been taken of a request body, kept to be sent again should the attempt fail. One per exchange. Up to a limit: what is longer
/// is not kept, and a request of which something is gone is not sent twice.
/// </summary>
internal sealed class KeptBody
{
    private byte[] _buffer = [];
    private int _limit;

    /// <summary>Nothing has been taken that is not here.</summary>
    public bool IsWhole { get; private set; } = true;

    /// <summary>The body's end has been taken too.</summary>
    public bool Ended { get; set; }

    public int Length { get; private set; }

    public ReadOnlyMemory<byte> Bytes => _buffer.AsMemory(0, Length);

    /// <param name="limit">Bytes at most; 0 to keep none.</param>
    public void Begin(int limit)
    {
        _limit = limit;
        IsWhole = true;
        Ended = false;
    }

    /// <summary>Bytes have been taken from the client.</summary>
    public void Take(in ReadOnlySequence<byte> bytes)
    {
        if (!IsWhole || bytes.IsEmpty) return;
        if (bytes.Length > _limit - Length)
        {
            Forget();
            IsWhole = false;
            return;
        }
        int needed = Length + (int)bytes.Length;
        if (needed > _buffer.Length) Grow(needed);
        bytes.CopyTo(_buffer.AsSpan(Length));
        Length = needed;
    }

    public void Take(ReadOnlyMemory<byte> bytes) => Take(new ReadOnlySequence<byte>(bytes));

    /// <summary>Gives the memory back: there will be no further attempt.</summary>
    public void Forget()
    {
        if (_buffer.Length != 0) ArrayPool<byte>.Shared.Return(_buffer);
        _buffer = [];
        Length = 0;
    }

    private void Grow(int needed)
    {
        // In steps of two, but no more than can come.
        byte[] larger = ArrayPool<byte>.Shared.Rent(Math.Min(_limit, Math.Max(needed, _buffer.Length * 2)));
        _buffer.AsSpan(0, Length).CopyTo(larger);
        if (_buffer.Length != 0) ArrayPool<byte>.Shared.Return(_buffer);
        _buffer = larger;
    }
}
