using System.Buffers.Binary;

namespace Gateway.TestKit;

/// <summary>gRPC's length-prefixed messages: one byte of flags, four of length, the message.</summary>
public static class GrpcFrames
{
    public static byte[] Frame(ReadOnlySpan<byte> message)
    {
        byte[] frame = new byte[5 + message.Length];
        BinaryPrimitives.WriteUInt32BigEndian(frame.AsSpan(1), (uint)message.Length);
        message.CopyTo(frame.AsSpan(5));
        return frame;
    }

    /// <summary>The next message; null at the end of the stream.</summary>
    public static async Task<byte[]?> ReadAsync(Stream stream, CancellationToken cancellationToken)
    {
        byte[] prefix = new byte[5];
        int n = await stream.ReadAtLeastAsync(prefix, 5, throwOnEndOfStream: false, cancellationToken);
        if (n == 0) return null;
        if (n < 5) throw new InvalidDataException("the stream ended inside a gRPC prefix");
        byte[] message = new byte[BinaryPrimitives.ReadUInt32BigEndian(prefix.AsSpan(1))];
        await stream.ReadExactlyAsync(message, cancellationToken);
        return message;
    }
}
