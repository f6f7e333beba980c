namespace Gateway.Config.Validation;

/// <summary>What a document means, as far as it can be judged without files and sockets.</summary>
internal static class ConfigValidator
{
    public static void Validate(GatewayConfig config, Findings findings)
    {
        if (config.Version is not null and not "v1")
            findings.Error("version", ConfigErrorCodes.UnsupportedVersion, $"version \"{config.Version}\" is not known; this gateway reads \"v1\"");
    }
}
