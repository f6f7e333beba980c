using System.Net;
using Gateway.Config;
using Gateway.Core.Router;
using Gateway.DataPlane.Proxy;
using Gateway.DataPlane.Runtime;
using Microsoft.Extensions.Primitives;

namespace Gateway.DataPlane.Server;

/// <summary>Says which of two snapshots would serve a request, and what that one would do with it.</summary>
internal static class CanaryExplainer
{
    /// <param name="serving">With a candidate.</param>
    /// <param name="time">The requests' clock.</param>
    /// <param name="problem">Why there is no answer, for a person.</param>
    public static Explanation? Explain(Serving serving, IReadOnlyList<ListenerStatus> running, ExplainQuery query, TimeProvider time, out string problem)
    {
        CanaryRun run = serving.Canary!;
        if (Explainer.Explain(serving.Live, running, query, out problem, time) is not { } explanation) return null;
        ListenerModel listener = Array.Find(serving.Live.Listeners, listener => listener.Name == explanation.Listener)!;
        if (!run.Serves(listener.State)) return explanation;
        double percent = serving.Units * 100.0 / CanaryRun.Units;
        if (run.Key is not { } key || TextOf(query, key, listener) is not { Length: > 0 } text)
            return explanation with { Variant = new ExplainedVariant("random", null, percent) };
        int bucket = run.BucketOf(text);
        if (bucket >= serving.Units) return explanation with { Variant = new ExplainedVariant(Variants.LabelOf(Variant.Stable)!, bucket, percent) };
        return Explainer.Explain(run.Candidate.Version, listener.State.In(run.Candidate), query, problem, time) with
        {
            Variant = new ExplainedVariant(Variants.LabelOf(Variant.Canary)!, bucket, percent),
        };
    }

    private static string? TextOf(ExplainQuery query, RequestKey key, ListenerModel listener)
    {
        string? peer = (query.ClientIp is { IsIPv4MappedToIPv6: true } mapped ? mapped.MapToIPv4() : query.ClientIp)?.ToString();
        return key.Kind switch
        {
            RequestKeyKind.Header => Values(query.Request, key.Name) is { Count: > 0 } values ? values[0]!.Trim() : null,
            RequestKeyKind.Cookie => CookieValue.Find(Values(query.Request, "Cookie"), key.Name).ToString(),
            _ => listener.Trusts(query.ClientIp) ? ClientAddress.TextOf(peer, Values(query.Request, "X-Forwarded-For"), listener).ToString() : peer,
        };
    }

    private static StringValues Values(DescribedRequest request, string name) =>
        new([.. request.Headers.Where(header => header.Key.Equals(name, StringComparison.OrdinalIgnoreCase)).Select(static header => header.Value)]);
}
