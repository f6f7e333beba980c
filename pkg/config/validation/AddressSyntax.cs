using System.Globalization;
using System.Net;

namespace Gateway.Config.Validation;

/// <summary>Addresses of listeners and endpoints. Each answer is null when the text is right, else what is wrong and the fix.</summary>
internal static class AddressSyntax
{
    // sun_path has 108 bytes on Linux, with the closing zero.
    private const int MaxUnixPath = 107;

    /// <summary>Where to listen. A host name other than localhost is refused: it may stand for several addresses, and a listener is one socket.</summary>
    public static string? Listen(string text, bool allowUnix = true)
    {
        if (text.StartsWith("unix:", StringComparison.Ordinal)) return allowUnix ? Unix(text) : "\"host:port\" is expected here";
        if (text.Contains("://", StringComparison.Ordinal)) return "an address has no scheme; write \"host:port\"";
        if (!TrySplit(text, out string host, out int port)) return $"\"{Reading.JsonTokens.Shorten(text)}\" is not an address; write host and port, as in \"0.0.0.0:8080\" or \"[::]:8080\"{(allowUnix ? ", or \"unix:PATH\"" : "")}";
        if (host.Length == 0 || host == "*") return $"say which addresses: \"0.0.0.0:{port}\" for IPv4, \"[::]:{port}\" for IPv6 and IPv4";
        if (host.Equals("localhost", StringComparison.OrdinalIgnoreCase) || Syntax.IsIpv4(host)) return null;
        if (host[0] == '[') return Syntax.Host(host);
        return Syntax.IsIpv6(host) ? $"an IPv6 address stands in brackets: \"[{host}]:{port}\"" : $"\"{Reading.JsonTokens.Shorten(host)}\" is not an IP address; write one of this machine, or localhost";
    }

    /// <summary>Where to connect to.</summary>
    public static string? Endpoint(string text)
    {
        if (text.StartsWith("unix:", StringComparison.Ordinal)) return Unix(text);
        if (text.Contains("://", StringComparison.Ordinal)) return "an address has no scheme; write \"host:port\", and set the pool's protocol";
        if (!TrySplit(text, out string host, out int port)) return $"\"{Reading.JsonTokens.Shorten(text)}\" is not an address; write host and port, as in \"10.0.0.1:8080\" or \"shop.internal:8080\", or \"unix:PATH\"";
        if (port == 0) return "port 0 cannot be connected to; write the port the endpoint listens on";
        return host.Length == 0 ? "the host before the colon is missing" : Syntax.IsIpv6(host) && host[0] != '[' ? $"an IPv6 address stands in brackets: \"[{host}]:{port}\"" : Syntax.Host(host);
    }

    /// <summary>A name to look up, with the port of the hosts it stands for, or that of a service without one.</summary>
    public static string? Discoverable(string text)
    {
        bool service = text.StartsWith('_');
        if (service && !text.Contains(':', StringComparison.Ordinal)) return Syntax.Host(text.EndsWith('.') ? text[..^1] : text);
        if (service) return "the records of a service (a name that begins with \"_\") name the ports; remove the port";
        if (!TrySplit(text, out string host, out int port) || port == 0) return $"\"{Reading.JsonTokens.Shorten(text)}\" is no name with a port, as in \"shop.internal:8080\", nor a service, as in \"_http._tcp.shop.internal\"";
        if (Syntax.IsIpv4(host) || host.StartsWith('[') || Syntax.IsIpv6(host)) return "an IP address needs no discovery; list it under endpoints";
        return host.Length == 0 ? "the name before the colon is missing" : Syntax.Host(host.EndsWith('.') ? host[..^1] : host);
    }

    /// <summary>A server of which there is an address.</summary>
    public static string? Server(string text)
    {
        if (!TrySplit(text, out string host, out int port) || port == 0 || !(Syntax.IsIpv4(host) || (host.StartsWith('[') && Syntax.Host(host) is null)))
            return $"\"{Reading.JsonTokens.Shorten(text)}\" is not an IP address with a port, as in \"10.0.0.53:53\" or \"[fd00::53]:53\"";
        return null;
    }

    /// <summary>What two texts for one socket have in common; null when the address is a free port, which no other has.</summary>
    public static string? SocketKey(string address)
    {
        if (address.StartsWith("unix:", StringComparison.Ordinal)) return address;
        if (!TrySplit(address, out string host, out int port) || port == 0) return null;
        if (host.Equals("localhost", StringComparison.OrdinalIgnoreCase)) host = "127.0.0.1";
        return IPAddress.TryParse(host, out IPAddress? ip) ? $"{ip}:{port}" : $"{host}:{port}";
    }

    private static string? Unix(string text)
    {
        int length = System.Text.Encoding.UTF8.GetByteCount(text.AsSpan(5));
        if (length == 0) return "the path after \"unix:\" is missing, as in \"unix:/run/gateway.sock\"";
        if (text.Contains('\0', StringComparison.Ordinal)) return "a path holds no zero character";
        return length > MaxUnixPath ? $"the path of a socket has at most {MaxUnixPath} bytes, this one has {length}" : null;
    }

    private static bool TrySplit(string text, out string host, out int port)
    {
        int colon = text.LastIndexOf(':');
        host = colon < 0 ? text : text[..colon];
        port = 0;
        if (colon < 0 || !ushort.TryParse(text.AsSpan(colon + 1), NumberStyles.None, CultureInfo.InvariantCulture, out ushort number)) return false;
        port = number;
        return true;
    }
}
