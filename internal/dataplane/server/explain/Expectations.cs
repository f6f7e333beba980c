using Gateway.Config;
using Gateway.Core.Router;
using Gateway.DataPlane.Runtime;

namespace Gateway.DataPlane.Server;

/// <summary>Decides the cases under <c>expect</c> by a compiled candidate and says which do not hold, and why.</summary>
internal sealed class Expectations(GatewaySnapshot snapshot, IReadOnlyList<ListenerStatus> running)
{
    private const int MostErrors = 100;

    private readonly List<ConfigError> _errors = [];

    public static IReadOnlyList<ConfigError> Check(GatewaySnapshot snapshot, IReadOnlyList<ListenerStatus> running)
    {
        var check = new Expectations(snapshot, running);
        for (int i = 0; i < snapshot.Config.Routes.Count; i++) check.Check(snapshot.Config.Routes[i], i);
        return check._errors;
    }

    private void Check(RouteConfig route, int index)
    {
        for (int i = 0; i < route.Expect.Count; i++)
        {
            if (_errors.Count == MostErrors)
            {
                _errors.Add(new ConfigError("", ConfigErrorCodes.TooMany, "further cases under expect are not listed"));
                return;
            }
            if (_errors.Count < MostErrors) Check(route.Expect[i], route.Listeners, $"routes[{index}].expect[{i}]");
        }
    }

    private void Check(ExpectConfig expect, IReadOnlyList<string> listeners, string path)
    {
        ExpectRequestConfig asked = expect.Request;
        string problem;
        if (DescribedRequest.Parse(asked.Method, asked.Url, [.. asked.Headers], out problem) is not { } request)
        {
            _errors.Add(new ConfigError($"{path}.request.url", ConfigErrorCodes.InvalidValue, problem));
            return;
        }
        if (ListenerChoice.For(snapshot, running, request, listeners, out problem) is not { } listener)
        {
            _errors.Add(new ConfigError($"{path}.request.url", ConfigErrorCodes.ExpectFailed, $"no listener takes the request: {problem}"));
            return;
        }
        Decision decision = Decision.Of(listener, request);
        if (expect.Route is { } route && decision.Route?.Name != route) Fail(path, ".route", $"route '{route}'", decision, Why(listener, request, route));
        else if (expect.Pool is { } pool && decision.Pool != pool) Fail(path, ".pool", $"pool '{pool}'", decision, Why(listener, request, null));
        else if (expect.Status is { } status && decision.Status != status) Fail(path, ".status", $"status {status}", decision, Why(listener, request, null));
        else Headers(expect, path, decision);
    }

    private void Headers(ExpectConfig expect, string path, Decision decision)
    {
        foreach ((string name, string value) in expect.Headers)
        {
            string? found = null;
            foreach (KeyValuePair<string, string> header in decision.Answer?.Headers ?? [])
                if (header.Key.Equals(name, StringComparison.OrdinalIgnoreCase)) found = header.Value;
            if (found != value) Fail(path, $".headers.{name}", $"header {name}: {value}", decision, found is null ? "the gateway's answer has no such field" : $"it is {found}");
        }
    }

    private void Fail(string path, string field, string wanted, Decision decision, string why) =>
        _errors.Add(new ConfigError(path + field, ConfigErrorCodes.ExpectFailed, $"expected {wanted}, but {Outcome(decision)}: {why}. Mend the routes, or the case if this is what is meant."));

    private static string Outcome(Decision decision) => decision switch
    {
        { Route: null } => "no route matches",
        { Answer: { Status: { } status } answer } => $"route '{decision.Route.Name}' answers {status} ({answer.Name})",
        _ => $"route '{decision.Route.Name}' forwards to pool '{decision.Pool}'",
    };

    // Why the route that was wanted lost; or, when none was named, why the one that won did.
    private static string Why(ListenerModel listener, in DescribedRequest request, string? wanted)
    {
        (_, RouteExplanation explanation) = listener.Routes.Explain(request, int.MaxValue);
        foreach (RouteCandidate candidate in explanation.Candidates)
        {
            if (wanted is null ? candidate.Verdict is RouteVerdict.Won or RouteVerdict.TwoReadings : candidate.Name == wanted)
                return wanted is null ? $"it matched by {candidate.Reason}" : $"route '{wanted}' lost because {candidate.Reason}";
        }
        return wanted is null ? "none has conditions that hold" : $"listener '{listener.Name}', which takes the request, has no route '{wanted}'";
    }
}
