namespace Gateway.Config.Validation;

/// <summary>
/// What a document means, as far as it can be judged without files and sockets. It is also run over a document whose form has errors, so
/// that all are reported at once: required values and items of lists and maps may then be null, whatever their types say.
/// </summary>
internal static class ConfigValidator
{
    public static void Validate(GatewayConfig config, Findings findings)
    {
        if (config.Version is not null and not "v1")
            findings.Error("version", ConfigErrorCodes.UnsupportedVersion, $"\"{Reading.JsonTokens.Shorten(config.Version)}\" is not known; this gateway reads \"v1\"");
        var references = new References(config, findings);
        ListenerRules.Validate(config.Listeners, references, findings);
        CertificateRules.Validate(config.Certificates, findings);
        RouteRules.Validate(config.Routes, references, findings);
        PoolRules.Validate(config.Pools, findings);
        ObservabilityRules.Validate(config, findings);
        RolloutRules.Validate(config, findings);
        DebugRules.Validate(config.Debug, findings);
        // What is wrong may be the very reference that is missed.
        if (!findings.HasErrors) references.WarnOfUnused();
    }
}
