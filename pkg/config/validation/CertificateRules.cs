namespace Gateway.Config.Validation;

internal static class CertificateRules
{
    public static void Validate(IReadOnlyDictionary<string, CertificateConfig> certificates, Findings findings)
    {
        findings.Path.Push("certificates");
        foreach ((string name, CertificateConfig certificate) in certificates)
        {
            findings.Path.Push(name);
            if (Syntax.Name(name) is { } wrong) findings.Error(ConfigErrorCodes.InvalidValue, wrong);
            if (certificate?.CertFile is { } certFile) File(certFile, "certFile", findings);
            if (certificate?.KeyFile is { } keyFile) File(keyFile, "keyFile", findings);
            findings.Path.Pop();
        }
        findings.Path.Pop();
    }

    public static void File(string path, string field, Findings findings)
    {
        if (Syntax.FilePath(path) is { } wrong) findings.Error(field, ConfigErrorCodes.InvalidValue, wrong);
    }
}
