using System.Security.Cryptography;

namespace Gateway.ControlPlane.Store;

/// <summary>The key that affinity cookies are made with. It outlives the process, or a restart would send every client elsewhere.</summary>
public static class AffinityKey
{
    /// <summary>Bytes: as many as the hash, SHA-256, gives.</summary>
    public const int Length = 32;

    /// <summary>Reads <c>affinity.key</c> in the folder, or makes it of random bytes with mode 0600.</summary>
    /// <exception cref="IOException">The file cannot be read or made, or is no key; the message says how to mend it.</exception>
    public static byte[] LoadOrCreate(string folder)
    {
        string path = Path.Combine(folder, "affinity.key");
        try
        {
            if (!File.Exists(path)) DurableFiles.OfProcess().Replace(path, RandomNumberGenerator.GetBytes(Length));
            byte[] key = File.ReadAllBytes(path);
            return key.Length == Length ? key : throw new IOException($"'{path}' is no key of {Length} bytes; remove it to have one made");
        }
        catch (UnauthorizedAccessException e)
        {
            throw new IOException($"'{path}' cannot be used: {e.Message}", e);
        }
    }
}
