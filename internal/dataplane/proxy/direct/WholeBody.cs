using System.Buffers;
using System.IO.Pipelines;
using Gateway.DataPlane.Transport;

namespace Gateway.DataPlane.Proxy.Direct;

/// <summary>A request body that is all there when its request begins.</summary>
internal sealed class WholeBody : PipeReader
{
    /// <summary>Larger ones are not worth a copy.</summary>
    public const int Largest = 16 * 1024;

    private byte[]? _bytes;
    private int _start;
    private int _end;

    public void Begin(ReadOnlySpan<byte> body)
    {
        _bytes = LoopBuffers.Rent(body.Length);
        body.CopyTo(_bytes);
        (_start, _end) = (0, body.Length);
    }

    /// <summary>The request is over.</summary>
    public void Forget()
    {
        if (_bytes is null) return;
        LoopBuffers.Return(_bytes);
        _bytes = null;
        _start = _end = 0;
    }

    public override bool TryRead(out ReadResult result)
    {
        result = new ReadResult(_bytes is null ? ReadOnlySequence<byte>.Empty : new ReadOnlySequence<byte>(_bytes, _start, _end - _start), isCanceled: false, isCompleted: true);
        return true;
    }

    public override ValueTask<ReadResult> ReadAsync(CancellationToken cancellationToken = default)
    {
        _ = TryRead(out ReadResult result);
        return new(result);
    }

    public override void AdvanceTo(SequencePosition consumed) => AdvanceTo(consumed, consumed);

    public override void AdvanceTo(SequencePosition consumed, SequencePosition examined)
    {
        // The top bit of a position in an array marks the end of the sequence.
        if (_bytes is not null && consumed.GetObject() == _bytes) _start = consumed.GetInteger() & int.MaxValue;
    }

    public override void CancelPendingRead()
    {
        // No read is ever pending.
    }

    public override void Complete(Exception? exception = null)
    {
    }
}
