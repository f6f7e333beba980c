using System.Text;

namespace Gateway.ControlPlane.Documents;

/// <summary>Reads the files that <c>${file:PATH}</c> names.</summary>
internal static class SecretFile
{
    private const int MaxBytes = 64 << 10;

    /// <exception cref="IOException">The file cannot be read, or is too large for a secret.</exception>
    public static string Read(string path)
    {
        using FileStream file = File.OpenRead(path);
        // Not the file's length: a device or a pipe has none.
        byte[] bytes = new byte[MaxBytes + 1];
        int length = file.ReadAtLeast(bytes, bytes.Length, throwOnEndOfStream: false);
        if (length > MaxBytes) throw new IOException($"it is larger than {MaxBytes >> 10}Ki");
        return Encoding.UTF8.GetString(bytes, 0, length);
    }
}
