using System.Diagnostics.CodeAnalysis;
using System.Net;
using System.Net.Sockets;

namespace Gateway.DataPlane.Server;

/// <summary>Reads a listener's address: <c>host:port</c> with an IP address, <c>[v6]:port</c>, <c>*:port</c>, <c>localhost:port</c> or <c>unix:PATH</c>.</summary>
internal static class ListenAddress
{
    /// <summary>
    /// A host name is refused (except localhost, which is 127.0.0.1): it may stand for several addresses, and for others tomorrow, and a
    /// listener is one socket.
    /// </summary>
    public static bool TryParse(string text, string baseDirectory, [NotNullWhen(true)] out EndPoint? endPoint, [NotNullWhen(false)] out string? why)
    {
        endPoint = null;
        why = null;
        if (text.StartsWith("unix:", StringComparison.Ordinal))
        {
            string path = text["unix:".Length..];
            if (path.Length == 0) why = "the path after 'unix:' is empty; write for example unix:/run/gateway.sock";
            else return TryUnix(Path.Combine(baseDirectory, path), out endPoint, out why);
            return false;
        }

        int colon = text.LastIndexOf(':');
        if (colon < 0 || !ushort.TryParse(text.AsSpan(colon + 1), System.Globalization.NumberStyles.None, null, out ushort port))
        {
            why = $"'{text}' has no port from 0 to 65535 after a colon; write for example 0.0.0.0:8080 or [::]:8080";
            return false;
        }

        ReadOnlySpan<char> host = text.AsSpan(0, colon);
        if (host.Length == 0 || host is "*") endPoint = new IPEndPoint(IPAddress.IPv6Any, port);
        else if (host.Equals("localhost", StringComparison.OrdinalIgnoreCase)) endPoint = new IPEndPoint(IPAddress.Loopback, port);
        else if (host[0] == '[' && host[^1] == ']' && IPAddress.TryParse(host[1..^1], out IPAddress? v6) && v6.AddressFamily == AddressFamily.InterNetworkV6)
            endPoint = new IPEndPoint(v6, port);
        else if (!host.Contains(':') && host.Count('.') == 3 && IPAddress.TryParse(host, out IPAddress? v4)) endPoint = new IPEndPoint(v4, port);
        if (endPoint is not null) return true;

        why = $"'{host}' is not an IP address of this machine; write one, 0.0.0.0 or [::] for all of them, or localhost (IPv6 goes in brackets)";
        return false;
    }

    /// <summary>Two listeners cannot both have it. A free port (0) belongs to the listener's name: its address says nothing about which socket it is.</summary>
    public static string SocketKey(EndPoint endPoint, string listener) =>
        endPoint is IPEndPoint { Port: 0 } ? $"{endPoint} of {listener}" : endPoint.ToString()!;

    /// <summary>As a document would write it.</summary>
    public static string Text(EndPoint endPoint) => endPoint is UnixDomainSocketEndPoint ? "unix:" + endPoint : endPoint.ToString()!;

    private static bool TryUnix(string path, [NotNullWhen(true)] out EndPoint? endPoint, [NotNullWhen(false)] out string? why)
    {
        endPoint = null;
        why = null;
        try
        {
            endPoint = new UnixDomainSocketEndPoint(path);
            return true;
        }
        catch (ArgumentOutOfRangeException)
        {
            why = $"the path '{path}' is longer than the system allows for a socket (about 107 bytes); choose a shorter one";
            return false;
        }
    }
}
