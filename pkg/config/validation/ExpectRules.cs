namespace Gateway.Config.Validation;

/// <summary>The form of the cases under <c>expect</c>. Whether they hold is known when the document is compiled.</summary>
internal static class ExpectRules
{
    public static void Validate(IReadOnlyList<ExpectConfig> cases, Findings findings)
    {
        if (cases.Count == 0) return;
        findings.Path.Push("expect");
        for (int i = 0; i < cases.Count; i++)
        {
            if (cases[i] is not { } expect) continue;
            findings.Path.PushIndex(i);
            if (expect is { Route: null, Pool: null, Status: null, Headers.Count: 0 })
                findings.Error(ConfigErrorCodes.MissingField, "the case expects nothing; add at least one of route, pool, status and headers");
            if (expect.Request is { } request) Request(request, findings);
            findings.Path.Pop();
        }
        findings.Path.Pop();
    }

    private static void Request(ExpectRequestConfig request, Findings findings)
    {
        findings.Path.Push("request");
        if (Syntax.Token(request.Method, "a method") is { } wrong) findings.Error("method", ConfigErrorCodes.InvalidValue, wrong);
        if (request.Url is { } url && Url(url) is { } wrongUrl) findings.Error("url", ConfigErrorCodes.InvalidValue, wrongUrl);
        foreach ((string name, string value) in request.Headers)
        {
            findings.Path.Push("headers");
            if (Syntax.Token(name, "a header field's name") is { } wrongName) findings.Error(name, ConfigErrorCodes.InvalidValue, wrongName);
            else if (value is not null && Syntax.HasControl(value)) findings.Error(name, ConfigErrorCodes.InvalidValue, "a header field's value holds no control characters");
            findings.Path.Pop();
        }
        findings.Path.Pop();
    }

    private static string? Url(string url)
    {
        int authority = url.StartsWith("http://", StringComparison.OrdinalIgnoreCase) ? 7 : url.StartsWith("https://", StringComparison.OrdinalIgnoreCase) ? 8 : 0;
        if (authority == 0 || authority == url.Length || url[authority] is '/' or '?') return $"\"{Reading.JsonTokens.Shorten(url)}\" is no URL; write it as \"https://host/path\"";
        if (url.AsSpan().ContainsAnyExceptInRange('!', '~')) return "the URL has characters that must be percent-encoded";
        if (url.Contains('#')) return "the URL has a fragment, which browsers do not send; leave it out";
        return url.AsSpan(authority).IndexOf('@') is var at && at >= 0 && at < url.AsSpan(authority).IndexOfAny('/', '?') ? "the URL has a user name, which requests do not carry; leave it out" : null;
    }
}
