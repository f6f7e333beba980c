using System.Diagnostics.CodeAnalysis;
using System.Net;
using System.Net.Sockets;
using Gateway.DataPlane.Runtime;
using Microsoft.AspNetCore.Connections;

namespace Gateway.DataPlane.Server;

/// <summary>Why an address could not be taken, and what to do about it.</summary>
internal static class BindFailure
{
    public static bool TryExplain(
        Exception failure,
        ListenerModel listener,
        IReadOnlyList<ListenerSet.RunningListener> earlier,
        IReadOnlyList<ListenerSet.RunningListener> running,
        [NotNullWhen(true)] out string? why)
    {
        string address = listener.Config.Address;
        SocketError? error = (failure as SocketException ?? failure.InnerException as SocketException)?.SocketErrorCode;
        if (failure is AddressInUseException) error = SocketError.AddressAlreadyInUse;
        why = error switch
        {
            SocketError.AddressAlreadyInUse when Holder(listener.EndPoint, earlier) is { } other =>
                $"{address} overlaps with {other.Config.Address} of listener '{other.Name}' in the same document; one of them has all addresses: keep that one alone, or choose another port",
            SocketError.AddressAlreadyInUse when Holder(listener.EndPoint, running) is { } holder =>
                $"{address} overlaps with {holder.Config.Address}, which the running listener '{holder.Name}' holds until it is removed; apply its removal first, or choose another port",
            SocketError.AddressAlreadyInUse when listener.EndPoint is UnixDomainSocketEndPoint =>
                $"{address}: the path exists and is in use, or is not a socket; stop the process that listens there, remove the file, or choose another path",
            SocketError.AddressAlreadyInUse =>
                $"{address} is in use by another process; stop it (ss -ltnp names it) or choose another port",
            SocketError.AddressNotAvailable =>
                $"{address} is not an address of this machine; use one of its own, or 0.0.0.0 or [::] for all of them",
            SocketError.AccessDenied when listener.EndPoint is IPEndPoint { Port: < 1024 } =>
                $"{address}: ports below 1024 need the capability CAP_NET_BIND_SERVICE (setcap, AmbientCapabilities= in systemd), or choose a higher port",
            SocketError.AccessDenied => $"{address}: permission denied; give the gateway's user write access to the folder, or choose another path",
            SocketError.AddressFamilyNotSupported => $"{address}: this machine has no IPv6; use an IPv4 address such as 0.0.0.0",
            { } unforeseen => $"{address} cannot be bound ({unforeseen}: {failure.Message}); choose another address",
            null when failure is IOException or UnauthorizedAccessException => $"{address} cannot be bound ({failure.Message}); choose another address",
            null => null,
        };
        return why is not null;
    }

    // Two sockets with one port, of which one has all addresses: the kernel lets nobody share.
    private static ListenerModel? Holder(EndPoint wanted, IReadOnlyList<ListenerSet.RunningListener> running)
    {
        if (wanted is not IPEndPoint { Port: not 0 } ip) return null;
        foreach (ListenerSet.RunningListener listener in running)
        {
            if (listener.Socket.Bound is IPEndPoint held && held.Port == ip.Port && (IsAny(held.Address) || IsAny(ip.Address) || held.Address.Equals(ip.Address)))
                return listener.Model;
        }
        return null;
    }

    private static bool IsAny(IPAddress address) => address.Equals(IPAddress.Any) || address.Equals(IPAddress.IPv6Any);
}
