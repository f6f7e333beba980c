namespace Gateway.Config.Validation;

internal static class HealthRules
{
    public static void Validate(PoolConfig pool, Findings findings)
    {
        if (pool.Health?.Active is { } active) Active(active, pool.Protocol, findings);
        if (pool.Outlier is { } outlier) Outlier(outlier, findings);
    }

    private static void Active(ActiveHealthConfig active, UpstreamProtocol protocol, Findings findings)
    {
        findings.Path.Push("health");
        findings.Path.Push("active");
        Belongs(active.Path, "path", HealthCheckType.Http, active.Type, findings);
        Belongs(active.Host, "host", HealthCheckType.Http, active.Type, findings);
        Belongs(active.Expect, "expect", HealthCheckType.Http, active.Type, findings);
        Belongs(active.Body, "body", HealthCheckType.Http, active.Type, findings);
        Belongs(active.Service, "service", HealthCheckType.Grpc, active.Type, findings);
        if (active.Path is { } path && (!path.StartsWith('/') || path.AsSpan().ContainsAnyExceptInRange('!', '~') || path.Contains('#', StringComparison.Ordinal)))
            findings.Error("path", ConfigErrorCodes.InvalidValue, $"\"{Reading.JsonTokens.Shorten(path)}\" is not a path; it starts with a slash and is percent-encoded");
        if (active.Host is { } host && (host.Length == 0 || host.AsSpan().ContainsAnyExceptInRange('!', '~') || host.Contains('/', StringComparison.Ordinal)))
            findings.Error("host", ConfigErrorCodes.InvalidValue, $"\"{Reading.JsonTokens.Shorten(host)}\" is not what a Host field holds; write a host, with a port if it needs one");
        if (active.Expect is { } expect) Expect(expect, findings);
        if (active.Body is { Length: 0 }) findings.Error("body", ConfigErrorCodes.InvalidValue, "every body contains nothing; leave it out");
        if (active.Type == HealthCheckType.Grpc && protocol == UpstreamProtocol.Http1)
            findings.Error("type", ConfigErrorCodes.Conflict, "gRPC needs HTTP/2, and the pool's protocol is http1; set protocol to \"grpc\", \"h2c\" or \"https\", or probe with \"http\" or \"tcp\"");
        if (active.Timeout > active.Interval)
            findings.Warning("timeout", ConfigErrorCodes.Doubtful, $"a probe may take longer than the interval of {DurationText.Format(active.Interval)}; the next one waits for it");
        findings.Path.Pop();
        findings.Path.Pop();
    }

    private static void Belongs(object? value, string field, HealthCheckType to, HealthCheckType type, Findings findings)
    {
        if (value is not null && type != to)
            findings.Error(field, ConfigErrorCodes.Conflict, $"it has a meaning for probes of type {Word(to)} only, and this one is {Word(type)}; remove it, or change type");
    }

    private static string Word(HealthCheckType type) => type.ToString().ToLowerInvariant();

    private static void Expect(IReadOnlyList<string> expect, Findings findings)
    {
        findings.Path.Push("expect");
        if (expect.Count == 0) findings.Error(ConfigErrorCodes.InvalidValue, "without a status every probe is bad; leave it out for 200-399, or name some");
        for (int i = 0; i < expect.Count; i++)
        {
            if (expect[i] is not { } range) continue;
            findings.Path.PushIndex(i);
            int hyphen = range.IndexOf('-', StringComparison.Ordinal);
            bool right = hyphen < 0
                ? Status(range) is not null
                : Status(range.AsSpan(0, hyphen)) is { } from && Status(range.AsSpan(hyphen + 1)) is { } to && from <= to;
            if (!right) findings.Error(ConfigErrorCodes.InvalidValue, $"\"{Reading.JsonTokens.Shorten(range)}\" is neither a status nor a range of them from 200 to 599; write \"204\" or \"200-299\"");
            findings.Path.Pop();
        }
        findings.Path.Pop();
    }

    private static int? Status(ReadOnlySpan<char> text) =>
        text.Length == 3 && int.TryParse(text, System.Globalization.NumberStyles.None, System.Globalization.CultureInfo.InvariantCulture, out int status) && status is >= 200 and <= 599 ? status : null;

    private static void Outlier(OutlierConfig outlier, Findings findings)
    {
        findings.Path.Push("outlier");
        if (outlier.MaxEjection < outlier.BaseEjection)
            findings.Error("maxEjection", ConfigErrorCodes.Conflict, $"{DurationText.Format(outlier.MaxEjection)} is shorter than the first ejection, {DurationText.Format(outlier.BaseEjection)}; raise it, or lower baseEjection");
        if (outlier.Latency is { Multiplier: 1 })
            findings.Warning("latency", ConfigErrorCodes.Doubtful, "with a multiplier of 1 half of the endpoints are always too slow; use 2 or more, or 0 to turn it off");
        if (outlier is { ConsecutiveFailures: 0, FailurePercent: 0, Latency.Multiplier: 0 })
            findings.Warning(ConfigErrorCodes.Doubtful, "everything it could look at is turned off; remove it, or set one of consecutiveFailures, failurePercent and latency.multiplier");
        findings.Path.Pop();
    }
}
