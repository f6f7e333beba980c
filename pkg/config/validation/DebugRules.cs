namespace Gateway.Config.Validation;

internal static class DebugRules
{
    // Shorter ones can be guessed from one signature.
    private const int ShortestKey = 16;

    public static void Validate(DebugConfig debug, Findings findings)
    {
        if (debug.ExplainHeader is not { } header) return;
        findings.Path.Push("debug");
        findings.Path.Push("explainHeader");
        if (header.Addresses.Count == 0 && header.Key is null) findings.Error(ConfigErrorCodes.MissingField, "nobody may ask; add addresses, or a key");
        if (header.Key?.Value is { Length: < ShortestKey }) findings.Error("key", ConfigErrorCodes.InvalidValue, $"the key is shorter than {ShortestKey} characters; take 32 random ones");
        findings.Path.Push("addresses");
        for (int i = 0; i < header.Addresses.Count; i++)
        {
            if (header.Addresses[i] is not { } network || Syntax.Network(network) is not { } wrong) continue;
            findings.Path.PushIndex(i);
            findings.Error(ConfigErrorCodes.InvalidValue, wrong);
            findings.Path.Pop();
        }
        findings.Path.Pop();
        findings.Path.Pop();
        findings.Path.Pop();
    }
}
