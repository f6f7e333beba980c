namespace Gateway.DataPlane.Transport;

/// <summary>A socket could not be registered with a loop: the system is out of watches or memory, or the loop has ended.</summary>
internal sealed class EventLoopException(int errno) : IOException(Transport.Errno.ToException(errno).Message)
{
    /// <summary>The system's error number.</summary>
    public int Errno { get; } = errno;
}
