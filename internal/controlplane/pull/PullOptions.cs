using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;
using System.Text;
using Gateway.Config;

namespace Gateway.ControlPlane.Pull;

/// <summary>Where bundles are fetched from, and how.</summary>
public sealed class PullOptions
{
    private static readonly TimeSpan LeastInterval = TimeSpan.FromSeconds(1), MostInterval = TimeSpan.FromHours(24);
    private const int MostTokenBytes = 4096;

    private readonly string? _tokenFile;

    private PullOptions(Uri url, TimeSpan interval, string? tokenFile)
    {
        Url = url;
        Interval = interval;
        _tokenFile = tokenFile;
    }

    /// <summary>The document that is asked for: a distributor's <c>/bundles/latest</c>, or a file of any web server.</summary>
    public Uri Url { get; }

    /// <summary>Time between two requests to a server that does not wait for news itself; 1s to 24h.</summary>
    public TimeSpan Interval { get; }

    /// <summary>Trusted in place of the system's; null for the system's.</summary>
    public X509Certificate2Collection? Authorities { get; private init; }

    /// <summary>Null for none. The environment's proxies (HTTP_PROXY) are never used.</summary>
    public Uri? Proxy { get; private init; }

    /// <summary>The bearer token as it is in its file now, for it may be replaced while the gateway runs; null for none.</summary>
    /// <exception cref="IOException">The file cannot be read, or holds no token.</exception>
    public string? ReadToken()
    {
        if (_tokenFile is null) return null;
        try
        {
            using FileStream file = File.OpenRead(_tokenFile);
            byte[] bytes = new byte[MostTokenBytes + 1];
            string token = Encoding.UTF8.GetString(bytes, 0, file.ReadAtLeast(bytes, bytes.Length, throwOnEndOfStream: false)).Trim();
            return token.Length is > 0 and <= MostTokenBytes && token.AsSpan().IndexOfAnyExceptInRange('!', '~') < 0
                ? token
                : throw new IOException($"the token file {_tokenFile} holds no token: printable characters without spaces");
        }
        catch (UnauthorizedAccessException e)
        {
            throw new IOException($"the token file {_tokenFile} cannot be read: {e.Message}", e);
        }
    }

    /// <summary>Reads what the command line gives and refuses what cannot work.</summary>
    /// <exception cref="FormatException">With a message for a person that says how to mend it.</exception>
    public static PullOptions Load(string url, string interval, string? tokenFile, string? caFile, string? proxy)
    {
        if (!Uri.TryCreate(url, UriKind.Absolute, out Uri? address) || address.Scheme is not ("http" or "https") || address.UserInfo.Length > 0)
            throw new FormatException($"--pull: '{url}' is no address of a distributor; write https://HOST:PORT, and give a token with --pull-token-file");
        if (address.AbsolutePath == "/") address = new Uri(address, "/bundles/latest");
        if (!DurationText.TryParse(interval, out TimeSpan every) || every < LeastInterval || every > MostInterval)
            throw new FormatException($"--pull-interval: '{interval}' is no duration from {DurationText.Format(LeastInterval)} to {DurationText.Format(MostInterval)}, such as 5s");
        Uri? through = null;
        if (proxy is not null && (!Uri.TryCreate(proxy, UriKind.Absolute, out through) || through.Scheme is not ("http" or "https" or "socks5")))
            throw new FormatException($"--pull-proxy: '{proxy}' is no address of a proxy; write http://HOST:PORT or socks5://HOST:PORT");
        PullOptions options = new(address, every, tokenFile) { Authorities = caFile is null ? null : ReadAuthorities(caFile), Proxy = through };
        try
        {
            _ = options.ReadToken();
        }
        catch (IOException e)
        {
            throw new FormatException($"--pull-token-file: {e.Message}", e);
        }
        return options;
    }

    private static X509Certificate2Collection ReadAuthorities(string file)
    {
        X509Certificate2Collection authorities = [];
        try
        {
            authorities.ImportFromPemFile(file);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException or CryptographicException)
        {
            throw new FormatException($"--pull-ca: '{file}' cannot be read: {e.Message}", e);
        }
        return authorities.Count > 0 ? authorities : throw new FormatException($"--pull-ca: '{file}' holds no PEM certificate");
    }
}
