namespace Gateway.Config.Reading;

/// <summary><c>${env:NAME}</c> and <c>${file:PATH}</c>, each the whole value of a secret field.</summary>
internal static class SecretReference
{
    private const string Environment = "${env:";
    private const string File = "${file:";

    private static bool IsReference(string text) =>
        text.Contains(Environment, StringComparison.Ordinal) || text.Contains(File, StringComparison.Ordinal);

    /// <summary>Reports a reference in a field that is no secret.</summary>
    public static void Refuse(string text, ReadContext context)
    {
        if (IsReference(text))
            context.Error(ConfigErrorCodes.SecretReference, $"\"{JsonTokens.Shorten(text)}\" stands in a field that is not a secret, where references are not resolved; write the value itself");
    }

    /// <summary>The secret that the text is or refers to; null when it cannot be had, which was reported.</summary>
    public static Secret? Resolve(string text, ReadContext context)
    {
        if (!IsReference(text)) return Secret.Literal(text);
        if (Name(text, Environment) is { } variable) return FromEnvironment(text, variable, context);
        if (Name(text, File) is { } path) return FromFile(text, path, context);
        context.Error(ConfigErrorCodes.SecretReference, "a reference is the whole value, as in \"${env:NAME}\" or \"${file:PATH}\", with nothing before or after it");
        return null;
    }

    private static string? Name(string text, string prefix) =>
        text.StartsWith(prefix, StringComparison.Ordinal) && text.IndexOf('}') == text.Length - 1 && text.Length > prefix.Length + 1
            ? text[prefix.Length..^1] : null;

    private static Secret? FromEnvironment(string reference, string variable, ReadContext context)
    {
        if (context.Options.EnvironmentVariable is not { } lookUp) return Secret.Resolved(reference, null);
        if (lookUp(variable) is { } value) return Secret.Resolved(reference, value);
        context.Error(ConfigErrorCodes.SecretReference, $"the environment variable {JsonTokens.Shorten(variable)} is not set for the gateway's process; set it and start again");
        return null;
    }

    private static Secret? FromFile(string reference, string path, ReadContext context)
    {
        if (context.Options.SecretFile is not { } read) return Secret.Resolved(reference, null);
        try
        {
            // Editors and "echo" end a file with a line end that is no part of the secret.
            string text = read(path);
            if (text.EndsWith('\n')) text = text.EndsWith("\r\n", StringComparison.Ordinal) ? text[..^2] : text[..^1];
            return Secret.Resolved(reference, text);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException or ArgumentException or NotSupportedException)
        {
            context.Error(ConfigErrorCodes.FileUnreadable, $"the secret's file {JsonTokens.Shorten(path)} cannot be read: {Reason(e)}");
            return null;
        }
    }

    private static string Reason(Exception e) => e switch
    {
        FileNotFoundException or DirectoryNotFoundException => "there is no such file",
        UnauthorizedAccessException => "the gateway's user may not read it",
        ArgumentException or NotSupportedException => "that is no path",
        _ => e.Message,
    };
}
