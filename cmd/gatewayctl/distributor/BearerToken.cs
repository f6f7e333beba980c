using System.Security.Cryptography;
using System.Text;

namespace Gateway.Ctl.Distributor;

/// <summary>The token that clients of the distributor must show. Thread safe.</summary>
internal sealed class BearerToken
{
    private const int Shortest = 16, Longest = 4096;

    // Hashes have one length, so that the comparison says nothing about the token's.
    private readonly byte[] _hash;

    private BearerToken(string token) => _hash = SHA256.HashData(Encoding.UTF8.GetBytes(token));

    /// <exception cref="UserException">The file holds none.</exception>
    public static BearerToken Read(string file)
    {
        string token = Encoding.UTF8.GetString(BundleFiles.Read(file)).Trim();
        return token.Length is >= Shortest and <= Longest && token.AsSpan().IndexOfAnyExceptInRange('!', '~') < 0
            ? new BearerToken(token)
            : throw new UserException($"{file} holds no token of at least {Shortest} printable characters without spaces; make one with: openssl rand -hex 32");
    }

    /// <summary>Takes the same time for every wrong token.</summary>
    /// <param name="authorization">The field's value.</param>
    public bool Accepts(string authorization)
    {
        const string scheme = "Bearer ";
        if (!authorization.StartsWith(scheme, StringComparison.OrdinalIgnoreCase) || authorization.Length > Longest + scheme.Length) return false;
        return CryptographicOperations.FixedTimeEquals(SHA256.HashData(Encoding.UTF8.GetBytes(authorization[scheme.Length..].Trim())), _hash);
    }
}
