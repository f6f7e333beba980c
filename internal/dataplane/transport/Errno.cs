using System.Net.Sockets;

namespace Gateway.DataPlane.Transport;

/// <summary>The system's error numbers in .NET's terms.</summary>
internal static class Errno
{
    public static SocketException ToException(int errno) => new((int)(errno switch
    {
        1 or 13 => SocketError.AccessDenied,
        97 => SocketError.AddressFamilyNotSupported,
        98 => SocketError.AddressAlreadyInUse,
        99 => SocketError.AddressNotAvailable,
        100 => SocketError.NetworkDown,
        101 => SocketError.NetworkUnreachable,
        104 => SocketError.ConnectionReset,
        110 => SocketError.TimedOut,
        111 => SocketError.ConnectionRefused,
        113 => SocketError.HostUnreachable,
        24 or 23 => SocketError.TooManyOpenSockets,
        125 => SocketError.OperationAborted,
        _ => SocketError.SocketError,
    }));
}
