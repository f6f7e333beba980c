using Gateway.Config.Reading;

namespace Gateway.Config.Validation;

/// <summary>The access log and the metrics.</summary>
internal static class ObservabilityRules
{
    public static void Validate(GatewayConfig config, Findings findings)
    {
        AccessLog(config.AccessLog, findings);
        if (config.Metrics.Listener is not { } listener) return;
        findings.Path.Push("metrics");
        if (AddressSyntax.Listen(listener, allowUnix: false) is { } wrong) findings.Error("listener", ConfigErrorCodes.InvalidValue, wrong);
        else if (AddressSyntax.SocketKey(listener) is { } key && config.Listeners.FirstOrDefault(l => l?.Address is { } a && AddressSyntax.SocketKey(a) == key) is { } other)
            findings.Error("listener", ConfigErrorCodes.Conflict, $"listener \"{other.Name}\" has {listener} already; choose another port");
        findings.Path.Pop();
    }

    private static void AccessLog(AccessLogConfig log, Findings findings)
    {
        findings.Path.Push("accessLog");
        if (log.Output.Length == 0 || log.Output.Contains('\0', StringComparison.Ordinal))
            findings.Error("output", ConfigErrorCodes.InvalidValue, "\"stdout\", \"off\" or the path of a file is expected");
        else if (log.Output is not ("stdout" or "off") && log.Output.ToUpperInvariant() is "STDOUT" or "OFF" or "STDERR" or "NONE" or "-")
            findings.Error("output", ConfigErrorCodes.InvalidValue, $"\"{log.Output}\" would be a file of that name; write \"stdout\", \"off\", or \"./{log.Output}\" if it is one");
        Sample(log.Sample, findings);
        Fields(log, findings);
        findings.Path.Pop();
    }

    private static void Sample(IReadOnlyDictionary<string, double> sample, Findings findings)
    {
        findings.Path.Push("sample");
        foreach ((string status, double share) in sample)
        {
            bool known = status.Length == 3 && status[0] is >= '1' and <= '5'
                && (status.EndsWith("xx", StringComparison.Ordinal) || (char.IsAsciiDigit(status[1]) && char.IsAsciiDigit(status[2])));
            if (!known) findings.Error(status, ConfigErrorCodes.InvalidValue, "the name is a status class such as \"2xx\" or a status such as \"404\"");
            if (share is < 0 or > 1) findings.Error(status, ConfigErrorCodes.OutOfRange, $"{share.ToString("R", System.Globalization.CultureInfo.InvariantCulture)} is not from 0 (none) to 1 (all)");
        }
        findings.Path.Pop();
    }

    private static void Fields(AccessLogConfig log, Findings findings)
    {
        if (log.Fields.Count == 0) return;
        if (log.Format != AccessLogFormat.Json) findings.Warning("fields", ConfigErrorCodes.Unused, "only the format \"json\" has fields to choose; the others are fixed");
        findings.Path.Push("fields");
        for (int i = 0; i < log.Fields.Count; i++)
        {
            string field = log.Fields[i];
            if (field is null) continue;
            findings.Path.PushIndex(i);
            if (!AccessLogFieldNames.All.Contains(field))
                findings.Error(ConfigErrorCodes.InvalidValue, $"\"{JsonTokens.Shorten(field)}\" is not a field of the access log{findings.Nearest(field, AccessLogFieldNames.All)} (fields: {string.Join(", ", AccessLogFieldNames.All)})");
            else if (log.Fields.Take(i).Contains(field))
                findings.Error(ConfigErrorCodes.DuplicateName, $"\"{field}\" is listed twice; keep one");
            findings.Path.Pop();
        }
        findings.Path.Pop();
    }
}
