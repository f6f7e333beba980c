using Microsoft.Extensions.Primitives;

namespace Gateway.DataPlane.Proxy;

/// <summary>Finds a cookie in the Cookie fields (RFC 6265 section 4.2) without taking them apart.</summary>
internal static class CookieValue
{
    /// <summary>The value as received; empty when there is no such cookie.</summary>
    public static ReadOnlySpan<char> Find(StringValues fields, ReadOnlySpan<char> name)
    {
        for (int i = 0; i < fields.Count; i++)
        {
            ReadOnlySpan<char> rest = fields[i];
            while (!rest.IsEmpty)
            {
                int end = rest.IndexOf(';');
                ReadOnlySpan<char> pair = (end < 0 ? rest : rest[..end]).Trim();
                rest = end < 0 ? default : rest[(end + 1)..];
                if (pair.Length > name.Length && pair[name.Length] == '=' && pair.StartsWith(name, StringComparison.Ordinal)) return pair[(name.Length + 1)..];
            }
        }
        return default;
    }
}
