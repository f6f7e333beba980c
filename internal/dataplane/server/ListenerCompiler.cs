using System.Net;
using Gateway.Config;
using Gateway.DataPlane.Runtime;
using Gateway.DataPlane.TlsStore;

namespace Gateway.DataPlane.Server;

/// <summary>A listener without its routes.</summary>
internal sealed record ListenerDraft(ListenerConfig Config, EndPoint EndPoint, ListenerState State, ListenerTls? Tls, IPNetwork[] TrustedProxies);

/// <summary>Addresses, TLS and trusted networks of the listeners.</summary>
internal sealed class ListenerCompiler(string baseDirectory, StateRegistry registry, TimeProvider time)
{
    public bool Compile(GatewayConfig config, List<ConfigError> errors, List<ConfigError> warnings, out ListenerDraft[] drafts)
    {
        int before = errors.Count;
        CertificateCompiler certificates = new(config, baseDirectory, registry, time, errors, warnings);
        Dictionary<string, string> sockets = [];
        HashSet<string> names = [];
        drafts = new ListenerDraft[config.Listeners.Count];
        for (int i = 0; i < drafts.Length; i++)
        {
            ListenerConfig listener = config.Listeners[i];
            string path = $"listeners[{i}]";
            if (!names.Add(listener.Name))
                errors.Add(new ConfigError(path + ".name", ConfigErrorCodes.DuplicateName, $"there is another listener '{listener.Name}'; names are unique, choose another"));
            if (!ListenAddress.TryParse(listener.Address, baseDirectory, out EndPoint? endPoint, out string? why))
                errors.Add(new ConfigError(path + ".address", ConfigErrorCodes.InvalidValue, why));
            else if (!sockets.TryAdd(ListenAddress.SocketKey(endPoint, listener.Name), listener.Name))
                errors.Add(new ConfigError(path + ".address", ConfigErrorCodes.Conflict, $"{listener.Address} is taken by listener '{sockets[ListenAddress.SocketKey(endPoint, listener.Name)]}' of this document; choose another port"));

            ServerTls? tls = listener.Tls is null ? null : certificates.Compile(listener.Tls, listener.Http2, path + ".tls");
            drafts[i] = new ListenerDraft(
                listener, endPoint!, registry.FindListener(listener.Name) ?? new ListenerState(listener.Name), tls, Networks(listener.TrustedProxies, path, errors));
        }
        certificates.WarnOfUnused();
        return errors.Count == before;
    }

    private static IPNetwork[] Networks(IReadOnlyList<string> proxies, string path, List<ConfigError> errors)
    {
        IPNetwork[] networks = new IPNetwork[proxies.Count];
        for (int i = 0; i < networks.Length; i++)
        {
            // A single address is a network of one.
            if (IPAddress.TryParse(proxies[i], out IPAddress? one)) networks[i] = new IPNetwork(one, one.GetAddressBytes().Length * 8);
            else if (!IPNetwork.TryParse(proxies[i], out networks[i]))
                errors.Add(new ConfigError($"{path}.trustedProxies[{i}]", ConfigErrorCodes.InvalidValue, $"'{proxies[i]}' is no network; write one as 10.0.0.0/8 or fd00::/8, or a single address"));
        }
        return networks;
    }
}
