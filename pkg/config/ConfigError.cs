namespace Gateway.Config;

/// <summary>One thing wrong (or, as a warning, doubtful) in a document: where, what kind, what, and how to mend it.</summary>
/// <param name="Path">The place as a JSON path from the root without the dollar sign, for example <c>routes[3].match.path.prefix</c>; empty for the document as a whole.</param>
/// <param name="Code">A stable snake_case word that programs may switch on; see <see cref="ConfigErrorCodes"/>.</param>
/// <param name="Message">What is wrong, with the offending value, and the fix, for a person.</param>
public sealed record ConfigError(string Path, string Code, string Message)
{
    /// <summary>One line as executables print it: <c>PATH: CODE: message</c>.</summary>
    public override string ToString() => $"{(Path.Length == 0 ? "(document)" : Path)}: {Code}: {Message}";
}

/// <summary>The stable codes of <see cref="ConfigError.Code"/>.</summary>
public static class ConfigErrorCodes
{
    public const string Syntax = "syntax";
    public const string TooDeep = "too_deep";
    public const string TooLarge = "too_large";
    public const string DuplicateKey = "duplicate_key";
    public const string UnknownField = "unknown_field";
    public const string MissingField = "missing_field";
    public const string WrongType = "wrong_type";
    public const string InvalidValue = "invalid_value";
    public const string OutOfRange = "out_of_range";
    public const string UnsupportedVersion = "unsupported_version";
    public const string DuplicateName = "duplicate_name";
    public const string UnknownReference = "unknown_reference";
    public const string Conflict = "conflict";
    public const string SecretReference = "secret_reference";
    public const string FileUnreadable = "file_unreadable";
    public const string InvalidCertificate = "invalid_certificate";
    public const string InvalidRegex = "invalid_regex";
    /// <summary>Last of a list: there are more than are listed.</summary>
    public const string TooMany = "too_many";
    public const string BindFailed = "bind_failed";

    /// <summary>A case under <c>expect</c> does not hold.</summary>
    public const string ExpectFailed = "expect_failed";

    /// <summary>The candidate would treat more of the recorded requests differently than its budget allows.</summary>
    public const string ReplayBudgetExceeded = "replay_budget_exceeded";

    /// <summary>Warning: no request can reach the route.</summary>
    public const string ShadowedRoute = "shadowed_route";

    /// <summary>Warning: legal, but hardly what was meant.</summary>
    public const string Doubtful = "doubtful";

    /// <summary>Warning: nothing refers to the object.</summary>
    public const string Unused = "unused";

    /// <summary>Warning: a certificate has expired or will within 14 days.</summary>
    public const string CertificateExpiry = "certificate_expiry";
}
