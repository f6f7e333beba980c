using System.Globalization;

namespace Gateway.Config.Validation;

/// <summary>What routes and pools say about attempts: retries, hedges, breakers, deadlines.</summary>
internal static class AttemptRules
{
    private const string GatewayError = "gateway-error", ServerError = "5xx";
    private static readonly string[] Conditions = ["connect", "reset", "refused", "timeout", ServerError, GatewayError];

    private static readonly TimeSpan LongestHedge = TimeSpan.FromMinutes(1);

    // Whose value is not the sender's to choose at this hop.
    private static readonly string[] Framing = ["connection", "content-length", "host", "te", "transfer-encoding", "trailer", "upgrade", "expect", "grpc-timeout"];

    public static void Validate(RouteConfig route, Findings findings)
    {
        if (!ReferenceEquals(route.Retry, RetryConfig.Default)) Retry(route.Retry, findings);
        if (route.Hedge?.After is { } after) HedgeAfter(after, findings);
        if (route.Timeouts.DeadlineHeader is { } header) DeadlineHeader(header, findings);
    }

    public static void Breaker(BreakerConfig breaker, Findings findings)
    {
        if (breaker.MaxOpen >= breaker.Open) return;
        findings.Path.Push("breaker");
        findings.Error("maxOpen", ConfigErrorCodes.Conflict, $"{DurationText.Format(breaker.MaxOpen)} is shorter than open, which is {DurationText.Format(breaker.Open)}; make it as long at least");
        findings.Path.Pop();
    }

    private static void Retry(RetryConfig retry, Findings findings)
    {
        findings.Path.Push("retry");
        findings.Path.Push("on");
        for (int i = 0; i < retry.On.Count; i++)
        {
            if (retry.On[i] is not { } condition || IsCondition(condition)) continue;
            findings.Path.PushIndex(i);
            string known = string.Join(", ", Conditions);
            findings.Error(ConfigErrorCodes.InvalidValue, $"\"{Reading.JsonTokens.Shorten(condition)}\" is not one of {known}, or a status code from 400 to 599{findings.Nearest(condition, Conditions)}");
            findings.Path.Pop();
        }
        findings.Path.Pop();
        if (retry.Attempts > 1 && retry.On.Count == 0) findings.Warning("on", ConfigErrorCodes.Doubtful, "nothing is a reason to try again, so there is one attempt whatever attempts says; name conditions, or set attempts to 1");
        if (retry.Backoff.Max < retry.Backoff.Base)
        {
            findings.Path.Push("backoff");
            findings.Error("max", ConfigErrorCodes.Conflict, $"{DurationText.Format(retry.Backoff.Max)} is shorter than base, which is {DurationText.Format(retry.Backoff.Base)}; make it as long at least");
            findings.Path.Pop();
        }
        if (retry.PerClient?.Key is { } key)
        {
            findings.Path.Push("perClient");
            if (ClientKey(key) is { } wrong) findings.Error("key", ConfigErrorCodes.InvalidValue, wrong);
            findings.Path.Pop();
        }
        findings.Path.Pop();
    }

    private static bool IsCondition(string text)
    {
        if (Array.IndexOf(Conditions, text) >= 0) return true;
        return text.Length == 3 && int.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out int code) && code is >= 400 and <= 599;
    }

    private static string? ClientKey(string key)
    {
        const string Header = "header:";
        if (key == "ip") return null;
        return key.StartsWith(Header, StringComparison.Ordinal)
            ? Syntax.Token(key[Header.Length..], "a header field's name")
            : $"\"{Reading.JsonTokens.Shorten(key)}\" tells no clients apart; write \"ip\" or \"header:NAME\"";
    }

    private static void HedgeAfter(string after, Findings findings)
    {
        if (after == "p95" || (DurationText.TryParse(after, out TimeSpan wait) && wait > TimeSpan.Zero && wait <= LongestHedge)) return;
        findings.Path.Push("hedge");
        findings.Error("after", ConfigErrorCodes.InvalidValue, $"\"{Reading.JsonTokens.Shorten(after)}\" is neither \"p95\" nor a duration from 1ms to {DurationText.Format(LongestHedge)}");
        findings.Path.Pop();
    }

    private static void DeadlineHeader(string header, Findings findings)
    {
        string? wrong = Syntax.Token(header, "a header field's name");
        if (wrong is null && Array.Exists(Framing, name => name.Equals(header, StringComparison.OrdinalIgnoreCase)))
            wrong = header.Equals("grpc-timeout", StringComparison.OrdinalIgnoreCase)
                ? "grpc-timeout is honoured by itself; name another field for other requests, or leave deadlineHeader out"
                : $"\"{header}\" has a meaning of its own; name another field";
        if (wrong is null) return;
        findings.Path.Push("timeouts");
        findings.Error("deadlineHeader", ConfigErrorCodes.InvalidValue, wrong);
        findings.Path.Pop();
    }
}
