namespace Gateway.Bundle;

/// <summary>What a bundle says: a configuration, and what it is to those who sign it.</summary>
public sealed record BundleManifest
{
    /// <summary>Rises with each bundle, from 1 to 2^53 - 1: a gateway refuses one that is not above the last it applied.</summary>
    public required long Sequence { get; init; }

    public required DateTimeOffset CreatedAt { get; init; }

    /// <summary>From this instant on it is refused.</summary>
    public required DateTimeOffset ExpiresAt { get; init; }

    /// <summary>Where it was made, such as a repository and commit; empty for nothing said.</summary>
    public string Source { get; init; } = "";

    /// <summary>For a person; empty for nothing said.</summary>
    public string Notes { get; init; } = "";

    /// <summary>Lower-case hex SHA-256 of <see cref="Config"/>, which is also the bundle's version.</summary>
    public required string ConfigSha256 { get; init; }

    /// <summary>The exact bytes of the document: JSON when its first character is a brace, else YAML.</summary>
    public required ReadOnlyMemory<byte> Config { get; init; }
}

/// <summary>Why a bundle is refused.</summary>
/// <param name="Code">One of <see cref="BundleRefusalCodes"/>.</param>
/// <param name="Message">For a person, with the fix.</param>
public sealed record BundleRefusal(string Code, string Message);

/// <summary>The stable codes of <see cref="BundleRefusal.Code"/>, in the order in which they are looked for.</summary>
public static class BundleRefusalCodes
{
    /// <summary>Larger than <see cref="BundleFile.MaxBytes"/>.</summary>
    public const string TooLarge = "too_large";

    /// <summary>Not the JSON of an envelope or of a manifest: truncated, nested, a key twice, a value of the wrong kind.</summary>
    public const string Malformed = "malformed";

    /// <summary>The envelope or the manifest has a field that is not known.</summary>
    public const string UnknownField = "unknown_field";

    /// <summary>Nobody signed it.</summary>
    public const string NoSignature = "no_signature";

    /// <summary>All signatures are by keys that are not trusted.</summary>
    public const string UnknownKey = "unknown_key";

    /// <summary>A signature by a trusted key does not fit the content.</summary>
    public const string BadSignature = "bad_signature";

    /// <summary>Fewer trusted keys signed it than must.</summary>
    public const string ThresholdNotMet = "threshold_not_met";

    /// <summary>The payload is of another type or format version.</summary>
    public const string UnsupportedFormat = "unsupported_format";

    /// <summary>The digest in the manifest is not the configuration's.</summary>
    public const string BadDigest = "bad_digest";

    /// <summary>Its time is over.</summary>
    public const string Expired = "expired";

    /// <summary>Not above the last bundle applied.</summary>
    public const string StaleSequence = "stale_sequence";
}
