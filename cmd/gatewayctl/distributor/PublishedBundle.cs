using Gateway.Bundle;

namespace Gateway.Ctl.Distributor;

/// <summary>A bundle as it is served. Immutable.</summary>
internal sealed class PublishedBundle
{
    /// <summary>Characters of source and notes that the list shows.</summary>
    private const int MostText = 1000;

    public PublishedBundle(string file, byte[] content, BundleManifest manifest)
    {
        File = file;
        Content = content;
        Digest = BundleFile.DigestOf(content);
        Version = manifest.ConfigSha256;
        Sequence = manifest.Sequence;
        CreatedAt = manifest.CreatedAt;
        ExpiresAt = manifest.ExpiresAt;
        Source = Shortened(manifest.Source);
        Notes = Shortened(manifest.Notes);
    }

    /// <summary>The file's name in the folder.</summary>
    public string File { get; }

    public byte[] Content { get; }

    /// <summary>Lower-case hex SHA-256 of <see cref="Content"/>, and so its entity tag: a configuration that is signed anew is another bundle.</summary>
    public string Digest { get; }

    /// <summary>Lower-case hex SHA-256 of the configuration.</summary>
    public string Version { get; }

    public long Sequence { get; }

    public DateTimeOffset CreatedAt { get; }

    public DateTimeOffset ExpiresAt { get; }

    public string Source { get; }

    public string Notes { get; }

    private static string Shortened(string text) => text.Length <= MostText ? text : text[..MostText] + "…";
}
