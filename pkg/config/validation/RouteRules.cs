namespace Gateway.Config.Validation;

internal static class RouteRules
{
    public static void Validate(IReadOnlyList<RouteConfig> routes, References references, Findings findings)
    {
        findings.Path.Push("routes");
        var names = new UniqueNames(findings, "routes");
        var match = new MatchRules(findings);
        for (int i = 0; i < routes.Count; i++)
        {
            if (routes[i] is not { } route) continue;
            findings.Path.PushIndex(i);
            if (route.Name is { } name) names.Add(name, i);
            Listeners(route, references, findings);
            match.Validate(route.Match);
            Action(route, references, findings);
            Timeouts(route.Timeouts, findings);
            AttemptRules.Validate(route, findings);
            if (route.Overload is { } overload) Overload(overload, route, findings);
            ExpectRules.Validate(route.Expect, findings);
            findings.Path.Pop();
        }
        findings.Path.Pop();
    }

    private static void Listeners(RouteConfig route, References references, Findings findings)
    {
        findings.Path.Push("listeners");
        for (int i = 0; i < route.Listeners.Count; i++)
        {
            if (route.Listeners[i] is not { } name) continue;
            findings.Path.PushIndex(i);
            references.Listener(name);
            findings.Path.Pop();
        }
        findings.Path.Pop();
    }

    private static void Action(RouteConfig route, References references, Findings findings)
    {
        int actions = (route.Pool is null ? 0 : 1) + (route.Redirect is null ? 0 : 1) + (route.Respond is null ? 0 : 1);
        if (actions == 0) findings.Error(ConfigErrorCodes.MissingField, "the route does nothing; add one of pool, redirect and respond");
        if (actions > 1) findings.Error(ConfigErrorCodes.Conflict, "the route has more than one of pool, redirect and respond; keep one");
        if (route.Pool is { } pool)
        {
            findings.Path.Push("pool");
            references.Pool(pool);
            findings.Path.Pop();
        }
        if (route.Redirect is { } redirect) Redirect(redirect, findings);
        if (route.Respond is { } respond) Respond(respond, findings);
    }

    private static void Redirect(RedirectConfig redirect, Findings findings)
    {
        findings.Path.Push("redirect");
        if (redirect is { Scheme: null, Host: null, Port: null, Path: null })
            findings.Error(ConfigErrorCodes.MissingField, "the redirect leads back to the same place; add at least one of scheme, host, port and path");
        if (redirect.Scheme is not (null or "http" or "https"))
            findings.Error("scheme", ConfigErrorCodes.InvalidValue, $"\"{Reading.JsonTokens.Shorten(redirect.Scheme)}\" is not \"http\" or \"https\"");
        if (redirect.Host is not null && Syntax.Host(redirect.Host) is { } wrongHost) findings.Error("host", ConfigErrorCodes.InvalidValue, wrongHost);
        if (redirect.Path is not null && Syntax.Path(redirect.Path) is { } wrongPath) findings.Error("path", ConfigErrorCodes.InvalidValue, wrongPath);
        if (redirect.Status is not (301 or 302 or 303 or 307 or 308))
            findings.Error("status", ConfigErrorCodes.InvalidValue, $"{redirect.Status} is not one of 301, 302, 303, 307, 308");
        findings.Path.Pop();
    }

    private static void Respond(RespondConfig respond, Findings findings)
    {
        findings.Path.Push("respond");
        if (respond.Status is 204 or 205 or 304 && respond.Body.Length > 0)
            findings.Error("body", ConfigErrorCodes.Conflict, $"a response with status {respond.Status} has no body; remove it, or choose another status");
        if (respond.ContentType.Length == 0 || Syntax.HasControl(respond.ContentType) || !System.Text.Ascii.IsValid(respond.ContentType))
            findings.Error("contentType", ConfigErrorCodes.InvalidValue, "a content type is not empty and holds only printable ASCII, as in \"text/html; charset=utf-8\"");
        findings.Path.Pop();
    }

    private static void Overload(OverloadConfig overload, RouteConfig route, Findings findings)
    {
        if (route.Pool is null) findings.Error("overload", ConfigErrorCodes.Conflict, "it bounds what is forwarded, and the route forwards nothing; remove it, or set pool");
        if (overload.Priority?.Header is not { } header || Syntax.Token(header, "a header field's name") is not { } wrong) return;
        findings.Path.Push("overload");
        findings.Path.Push("priority");
        findings.Error("header", ConfigErrorCodes.InvalidValue, wrong);
        findings.Path.Pop();
        findings.Path.Pop();
    }

    private static void Timeouts(TimeoutsConfig timeouts, Findings findings)
    {
        if (ReferenceEquals(timeouts, TimeoutsConfig.Default) || timeouts.Attempt <= timeouts.Request || timeouts.Request == TimeSpan.Zero) return;
        // A request timeout alone may well be shorter than what an attempt has by itself.
        if (timeouts.Attempt == TimeoutsConfig.Default.Attempt) return;
        findings.Path.Push("timeouts");
        findings.Warning("attempt", ConfigErrorCodes.Doubtful, $"{DurationText.Format(timeouts.Attempt)} for an attempt can never pass, since the whole request has {DurationText.Format(timeouts.Request)}");
        findings.Path.Pop();
    }
}
