using System.Buffers;
using System.Collections.Frozen;

namespace Gateway.DataPlane.Obs;

/// <summary>
/// Writes URLs without the credentials that people put into them: user information, and the values of query parameters whose names say
/// that they are secret. The name stays, so that it can be seen that there was one.
/// </summary>
internal static class UrlRedaction
{
    // Names under which OAuth 2.0, OpenID Connect, SAML, signed URLs (S3, GCS, Azure) and common APIs carry a credential.
    private static readonly FrozenSet<string> SecretNames = new[]
    {
        "auth", "authorization", "bearer", "jwt", "code", "assertion", "client_assertion", "code_verifier", "samlresponse", "ticket", "otp",
        "key", "apikey", "api_key", "api-key", "pass", "pwd", "sig", "sid", "session", "sessionid", "session_id", "jsessionid", "awsaccesskeyid",
    }.ToFrozenSet(StringComparer.OrdinalIgnoreCase);

    private static readonly FrozenSet<string>.AlternateLookup<ReadOnlySpan<char>> SecretName = SecretNames.GetAlternateLookup<ReadOnlySpan<char>>();

    private static readonly SearchValues<string> SecretParts =
        SearchValues.Create(["token", "secret", "passw", "signature", "credential", "apikey", "api_key", "api-key", "private"], StringComparison.OrdinalIgnoreCase);

    /// <summary>A path, or an absolute URL without its query.</summary>
    public static void Path(LineBuffer line, ReadOnlySpan<char> path, Escaping escaping)
    {
        int scheme = path.IndexOf("://", StringComparison.Ordinal);
        // In origin-form there is no authority: a path may well hold "://" and "@".
        if (scheme > 0 && path[0] != '/')
        {
            int from = scheme + 3;
            int authority = path[from..].IndexOfAny('/', '?', '#');
            ReadOnlySpan<char> user = authority < 0 ? path[from..] : path.Slice(from, authority);
            int at = user.LastIndexOf('@');
            line.Text(path[..from], escaping);
            path = path[(from + at + 1)..];
        }
        // "/x;jsessionid=…" is a cookie in the path.
        int parameter = path.IndexOf(';');
        if (parameter < 0)
        {
            line.Text(path, escaping);
            return;
        }
        line.Text(path[..parameter], escaping);
        foreach (Range range in path[parameter..].Split('/'))
        {
            ReadOnlySpan<char> segment = path[parameter..][range];
            if (range.Start.Value != 0) line.Byte((byte)'/');
            Parameters(line, segment, escaping);
        }
    }

    /// <summary>Host, without user information.</summary>
    public static ReadOnlySpan<char> Host(ReadOnlySpan<char> host) => host[(host.LastIndexOf('@') + 1)..];

    /// <summary>A query without its question mark.</summary>
    public static void Query(LineBuffer line, ReadOnlySpan<char> query, Escaping escaping) => Parameters(line, query, escaping);

    /// <summary>An absolute URL, as in Referer: one character per byte.</summary>
    public static void Url(LineBuffer line, ReadOnlySpan<char> url, Escaping escaping, bool withQuery)
    {
        int fragment = url.IndexOf('#');
        if (fragment >= 0) url = url[..fragment];
        int query = url.IndexOf('?');
        Path(line, query < 0 ? url : url[..query], escaping);
        if (query < 0 || !withQuery) return;
        line.Byte((byte)'?');
        Query(line, url[(query + 1)..], escaping);
    }

    private static void Parameters(LineBuffer line, ReadOnlySpan<char> text, Escaping escaping)
    {
        while (!text.IsEmpty)
        {
            int end = text.IndexOfAny('&', ';');
            ReadOnlySpan<char> parameter = end < 0 ? text : text[..end];
            int equals = parameter.IndexOf('=');
            if (equals > 0 && IsSecretName(parameter[..equals]))
            {
                line.Text(parameter[..(equals + 1)], escaping);
                line.Ascii("***"u8);
            }
            else
            {
                line.Text(parameter, escaping);
            }
            if (end < 0) return;
            line.Text(text.Slice(end, 1), escaping);
            text = text[(end + 1)..];
        }
    }

    /// <summary>Whether a parameter or field of this name carries a credential, as far as names tell.</summary>
    public static bool IsSecretName(ReadOnlySpan<char> name)
    {
        // "access%5Ftoken" is the same name to the server behind; "user[password]" and "a.token" are caught as parts.
        if (name.Contains('%')) name = Uri.UnescapeDataString(name.ToString());
        return SecretName.Contains(name) || name.ContainsAny(SecretParts);
    }
}
