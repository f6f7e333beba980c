using System.Text;
using System.Text.Json.Nodes;
using Gateway.Config;
using Xunit;

namespace Gateway.ControlPlane.Tests.Configuration;

public sealed class GatewaySchemaTests
{
    private static readonly JsonNode Schema = JsonNode.Parse(GatewaySchema.Write())!;

    [Fact]
    public void TheCommittedSchema_IsTheGeneratedOne() =>
        Golden.Matches(Path.Combine(Golden.Root, "configs", "gateway.schema.json"), GatewaySchema.Write());

    [Fact]
    public void EveryField_SaysWhatItMeans()
    {
        foreach ((string owner, JsonObject fields) in Objects())
            foreach ((string name, JsonNode? field) in fields)
                Assert.True(field!["description"] is not null, $"{owner}.{name} has no description: give the property a Doc attribute");
    }

    [Fact]
    public void EveryChoice_SaysWhatItMeans()
    {
        foreach ((string name, JsonNode? definition) in Schema["$defs"]!.AsObject())
            foreach (JsonNode? choice in definition!["oneOf"] as JsonArray ?? [])
                Assert.True(choice!["description"] is not null, $"{name} {choice["const"]} has no description: give the member a Doc attribute");
    }

    [Fact]
    public void EveryOptionalField_ShowsItsDefaultOrMayBeNull()
    {
        foreach ((string owner, JsonObject fields, string[] required) in ObjectsWithRequired())
            foreach ((string name, JsonNode? field) in fields)
                Assert.True(required.Contains(name) || field!["default"] is not null || field.ToJsonString().Contains("\"null\"", StringComparison.Ordinal), $"{owner}.{name}");
    }

    [Fact]
    public void EveryReference_LeadsSomewhere()
    {
        string text = Schema.ToJsonString();
        for (int at = text.IndexOf("#/$defs/", StringComparison.Ordinal); at >= 0; at = text.IndexOf("#/$defs/", at + 1, StringComparison.Ordinal))
        {
            string name = text[(at + 8)..text.IndexOf('"', at)];
            Assert.NotNull(Schema["$defs"]![name]);
        }
    }

    [Fact]
    public void EveryPublishedDefault_IsTheReadersOwn()
    {
        // CanonicalConfigTests fills all of them into a document; here those of a document that says nothing.
        var document = new JsonObject { ["version"] = "v1" };
        foreach ((string name, JsonNode? field) in Schema["properties"]!.AsObject())
            if (field!["default"] is { } value) document[name] = value.DeepClone();
        ReadResult filled = ConfigReader.ReadJson(Encoding.UTF8.GetBytes(document.ToJsonString()));

        Assert.Empty(filled.Errors);
        Assert.Equal("""{"version":"v1"}""", Encoding.UTF8.GetString(CanonicalConfig.Write(filled.Config!)));
    }

    private static IEnumerable<(string Owner, JsonObject Fields)> Objects() => ObjectsWithRequired().Select(o => (o.Owner, o.Fields));

    private static IEnumerable<(string Owner, JsonObject Fields, string[] Required)> ObjectsWithRequired()
    {
        foreach ((string name, JsonNode? node) in Schema["$defs"]!.AsObject().Append(KeyValuePair.Create("root", (JsonNode?)Schema)))
            if (node!["properties"] is JsonObject fields)
                yield return (name, fields, [.. (node["required"] as JsonArray ?? []).Select(r => r!.GetValue<string>())]);
    }
}
