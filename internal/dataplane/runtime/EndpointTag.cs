using System.Buffers.Text;
using System.Globalization;
using System.Security.Cryptography;
using System.Text;

namespace Gateway.DataPlane.Runtime;

/// <summary>
/// What an affinity cookie calls an endpoint: the first half of an HMAC-SHA256 of pool and address. It tells nobody the address, and who
/// has not the key cannot make one that is found.
/// </summary>
/// <param name="Value">The cookie's value.</param>
/// <param name="Field">The whole Set-Cookie field, and the same for a client on TLS.</param>
internal sealed record EndpointTag(string Value, string Field, string SecureField)
{
    private const int Bytes = 16;

    /// <param name="key">The gateway's.</param>
    /// <param name="ttl">Null for a cookie of the browser's session.</param>
    public static EndpointTag Create(byte[] key, string pool, string address, string cookie, TimeSpan? ttl)
    {
        // A pool's name has no control characters, so no two pairs are one text.
        byte[] hash = HMACSHA256.HashData(key, Encoding.UTF8.GetBytes($"{pool}\n{address}"));
        string value = Base64Url.EncodeToString(hash.AsSpan(0, Bytes));
        string age = ttl is { } time ? string.Create(CultureInfo.InvariantCulture, $"; Max-Age={(long)time.TotalSeconds}") : "";
        string field = $"{cookie}={value}{age}; Path=/; HttpOnly; SameSite=Lax";
        return new EndpointTag(value, field, field + "; Secure");
    }
}
