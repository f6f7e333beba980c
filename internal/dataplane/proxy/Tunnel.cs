using Gateway.DataPlane.Runtime;
using Gateway.DataPlane.Transport;

namespace Gateway.DataPlane.Proxy;

/// <summary>
/// Bytes both ways until one side ends; then both end, for Kestrel can neither half-close nor go on after the client's half-close. An idle
/// tunnel holds no buffers.
/// </summary>
internal static class Tunnel
{
    private const int BufferSize = 16 * 1024;

    public static async ValueTask RunAsync(Stream near, Stream far, Exchange exchange)
    {
        using var stop = CancellationTokenSource.CreateLinkedTokenSource(exchange.Deadline.Token);
        Task up = CopyAsync(near, far, exchange, isUp: true, stop.Token);
        Task down = CopyAsync(far, near, exchange, isUp: false, stop.Token);
        Task first = await Task.WhenAny(up, down);
        // The other direction waits for bytes that nobody will read.
        await stop.CancelAsync();
        if (first == down || exchange.Deadline.Reason != ErrorCategory.None) await far.DisposeAsync();
        await EndAsync(up);
        await EndAsync(down);
        if (exchange.Deadline.Reason == ErrorCategory.UpstreamTimeout) exchange.Context.Fail(ErrorCategory.UpstreamTimeout, "The tunnel was silent for too long.");
    }

    private static async Task CopyAsync(Stream from, Stream to, Exchange exchange, bool isUp, CancellationToken cancellation)
    {
        while (true)
        {
            _ = await from.ReadAsync(Memory<byte>.Empty, cancellation);
            byte[] buffer = LoopBuffers.Rent(BufferSize);
            try
            {
                int read = await from.ReadAsync(buffer, cancellation);
                if (read == 0) return;
                exchange.Deadline.Moved();
                await to.WriteAsync(buffer.AsMemory(0, read), cancellation);
                await to.FlushAsync(cancellation);
                exchange.Deadline.Moved();
                if (isUp) exchange.Context.RequestBytes += read;
                else exchange.Context.ResponseBytes += read;
            }
            finally
            {
                LoopBuffers.Return(buffer);
            }
        }
    }

    // A tunnel has no way to say that it failed: it ends, whatever the reason.
    private static async ValueTask EndAsync(Task direction)
    {
        await direction.ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
    }
}
