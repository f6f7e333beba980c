using Gateway.Functional.Tests.Harness;

namespace Gateway.Functional.Tests.Fleet;

/// <summary>Documents with a rollout that chance and a few visitors take through.</summary>
internal static class FleetDoc
{
    /// <param name="text">What everything is answered with.</param>
    /// <param name="odd">Status of requests to /odd.</param>
    /// <param name="more">Of the rollout, before its stages.</param>
    /// <param name="stages">Of the rollout.</param>
    public static string Document(string text, int odd = 200, string more = "", string stages = """{ "percent": 50, "for": "0s" }""") => Doc.Of(
        routes: $$"""{ "name": "odd", "match": { {{Doc.Exact("/odd")}} }, "respond": { "status": {{odd}}, "body": "{{text}}" } }, { "name": "all", "respond": { "body": "{{text}}" } }""", pools: "",
        more: $$""" "rollout": { "default": { {{more}} "stages": [{{stages}}], "cohort": "random", "gates": { "minSamples": 30 } } }, {{Doc.NoAccessLog}}""");
}
