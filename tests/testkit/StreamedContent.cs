using System.Net;

namespace Gateway.TestKit;

/// <summary>A request body that the test writes while the request runs: what makes a call two-way on HTTP/2, and an upload slow on HTTP/1.1.</summary>
public sealed class StreamedContent(long? length = null) : HttpContent
{
    private readonly TaskCompletionSource<Stream> _stream = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private readonly TaskCompletionSource _complete = new(TaskCreationOptions.RunContinuationsAsynchronously);

    /// <summary>Writes and flushes; waits until the request has been sent so far that a body may follow.</summary>
    public async Task WriteAsync(ReadOnlyMemory<byte> bytes)
    {
        Stream stream = await Eventually.Within("the request body stream", _stream.Task);
        await stream.WriteAsync(bytes);
        await stream.FlushAsync();
    }

    /// <summary>Ends the body.</summary>
    public void Complete() => _complete.TrySetResult();

    /// <summary>Makes the request fail: the body ends with an error.</summary>
    public void Fail() => _complete.TrySetException(new IOException("the test ends the body with an error"));

    protected override Task SerializeToStreamAsync(Stream stream, TransportContext? context) => SerializeToStreamAsync(stream, context, CancellationToken.None);

    // The client resets a cancelled request's stream only when its body has ended.
    protected override async Task SerializeToStreamAsync(Stream stream, TransportContext? context, CancellationToken cancellationToken)
    {
        await stream.FlushAsync(cancellationToken);
        _ = _stream.TrySetResult(stream);
        await _complete.Task.WaitAsync(cancellationToken);
    }

    protected override bool TryComputeLength(out long contentLength)
    {
        contentLength = length ?? 0;
        return length is not null;
    }
}
