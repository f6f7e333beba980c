using System.Buffers.Text;
using System.Security.Cryptography;
using System.Text;

namespace Gateway.ControlPlane.Admin;

/// <summary>The bearer token of the admin API. Thread safe.</summary>
public sealed class AdminToken
{
    private const int RandomBytes = 32;
    private const int ShortestToken = 16;

    // Hashes have one length, so that the comparison says nothing about the token's.
    private readonly byte[] _hash;

    private AdminToken(string token) => _hash = SHA256.HashData(Encoding.UTF8.GetBytes(token));

    /// <summary>Everyone on the machine can read the file. Not refused: a secret mounted into a container looks so by default.</summary>
    public bool IsExposed { get; private init; }

    /// <summary>Reads the token's file, or makes a token of 256 random bits in a new file with mode 0600.</summary>
    /// <exception cref="IOException">The file cannot be read or made, or holds no token; the message says how to mend it.</exception>
    public static AdminToken LoadOrCreate(string path)
    {
        try
        {
            if (!File.Exists(path)) Create(path);
            string token = File.ReadAllText(path).Trim();
            if (token.Length < ShortestToken || token.AsSpan().IndexOfAnyExceptInRange('!', '~') >= 0)
                throw new IOException($"the admin token file '{path}' holds no token of at least {ShortestToken} printable characters without spaces; remove it to have one made");
            bool exposed = !OperatingSystem.IsWindows() && (File.GetUnixFileMode(path) & (UnixFileMode.OtherRead | UnixFileMode.OtherWrite)) != 0;
            return new AdminToken(token) { IsExposed = exposed };
        }
        catch (UnauthorizedAccessException e)
        {
            throw new IOException($"the admin token file '{path}' cannot be used: {e.Message}", e);
        }
    }

    /// <summary>Takes the same time for every wrong token.</summary>
    public bool Accepts(ReadOnlySpan<char> presented)
    {
        // A longer one cannot be ours, and need not be hashed.
        if (presented.Length > 4096) return false;
        Span<byte> hash = stackalloc byte[SHA256.HashSizeInBytes];
        _ = SHA256.HashData(Encoding.UTF8.GetBytes(presented.ToString()), hash);
        return CryptographicOperations.FixedTimeEquals(hash, _hash);
    }

    private static void Create(string path)
    {
        string? folder = Path.GetDirectoryName(Path.GetFullPath(path));
        if (folder is not null) _ = Directory.CreateDirectory(folder);
        string token = Base64Url.EncodeToString(RandomNumberGenerator.GetBytes(RandomBytes)) + "\n";
        // Whole or not at all: a process that dies half-way must not leave half a token behind.
        string temporary = $"{path}.{Environment.ProcessId}.tmp";
        FileStreamOptions options = new() { Mode = FileMode.Create, Access = FileAccess.Write };
        if (!OperatingSystem.IsWindows()) options.UnixCreateMode = UnixFileMode.UserRead | UnixFileMode.UserWrite;
        using (FileStream file = new(temporary, options))
        {
            file.Write(Encoding.ASCII.GetBytes(token));
            file.Flush(flushToDisk: true);
        }
        File.Move(temporary, path, overwrite: false);
    }
}
