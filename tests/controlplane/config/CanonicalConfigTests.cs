using System.Security.Cryptography;
using System.Text;
using System.Text.Json;
using System.Text.Json.Nodes;
using Gateway.Bench.Micro.Documents;
using Gateway.Config;
using Gateway.ControlPlane.Documents;
using Xunit;

namespace Gateway.ControlPlane.Tests.Configuration;

public sealed class CanonicalConfigTests
{
    private static readonly string Full = File.ReadAllText(Path.Combine(Golden.Folder("config"), "good-full.json"));

    private static GatewayConfig Read(string json)
    {
        ReadResult result = ConfigReader.ReadJson(Encoding.UTF8.GetBytes(json));
        Assert.Empty(result.Errors);
        return result.Config!;
    }

    private static string Version(string json) => CanonicalConfig.Version(Read(json));

    [Fact]
    public void OrderOfKeysAndLayout_DoNotChangeTheVersion()
    {
        string version = Version(Full);
        var random = new Random(7);
        for (int i = 0; i < 50; i++)
        {
            JsonNode shuffled = Shuffle(JsonNode.Parse(Full)!, random);
            Assert.Equal(version, Version(shuffled.ToJsonString(new JsonSerializerOptions { WriteIndented = i % 2 == 0 })));
        }
    }

    [Fact]
    public void JsonReadAsYaml_HasTheSameVersion()
    {
        foreach (string file in Directory.EnumerateFiles(Golden.Folder("config"), "good-*.json"))
        {
            byte[] json = File.ReadAllBytes(file);
            ReadResult yaml = YamlReader.Read(json, new ReadOptions());
            Assert.Empty(yaml.Errors);
            Assert.Equal(CanonicalConfig.Version(ConfigReader.ReadJson(json).Config!), CanonicalConfig.Version(yaml.Config!));
        }
    }

    /// <summary>Fills in every default that the schema names: so the schema's defaults are the reader's.</summary>
    [Fact]
    public void DefaultsWrittenOut_DoNotChangeTheVersion()
    {
        JsonNode schema = JsonNode.Parse(GatewaySchema.Write())!;
        JsonNode document = JsonNode.Parse(Full)!;
        int filled = FillIn(document, schema, schema);

        Assert.InRange(filled, 40, int.MaxValue);
        Assert.Equal(Version(Full), Version(document.ToJsonString()));
    }

    [Fact]
    public void TheCanonicalForm_ReadsBackToItself()
    {
        JsonNode document = JsonNode.Parse(Full)!;
        document["certificates"]!.AsObject().Remove("literal");
        GatewayConfig config = Read(document.ToJsonString());
        byte[] canonical = CanonicalConfig.Write(config);

        Assert.Equal(Encoding.UTF8.GetString(canonical), Encoding.UTF8.GetString(CanonicalConfig.Write(Read(Encoding.UTF8.GetString(canonical)))));
    }

    /// <summary>Leaves out one field or item at a time: each says something, or it is null, equal to its default, or $schema.</summary>
    [Fact]
    public void EveryFieldThatIsNotADefault_ChangesTheVersion()
    {
        string version = Version(Full);
        var silent = new List<string>();
        foreach (string path in Leaves(JsonNode.Parse(Full)!, ""))
        {
            JsonNode document = JsonNode.Parse(Full)!;
            Remove(document, path);
            ReadResult result = ConfigReader.ReadJson(Encoding.UTF8.GetBytes(document.ToJsonString()));
            if (result.Config is { } config && CanonicalConfig.Version(config) == version) silent.Add(path);
        }
        Assert.Equal(
        [
            "/$schema", "/replay/every", "/pools/alpha/endpoints/0/weight", "/pools/alpha/connections/connectTimeout", "/pools/alpha/connections/idleTimeout",
            "/routes/1/expect/0/request/method", "/routes/2/respond/contentType", "/routes/4/bodyBytes", "/listeners/0/protocol", "/listeners/0/tls", "/listeners/0/limits/connections",
            "/listeners/0/limits/minBodyRate", "/accessLog/format",
        ], silent);
    }

    [Fact]
    public void TheVersion_IsTheHashOfTheCanonicalBytes()
    {
        foreach (byte[] json in (byte[][])[Encoding.UTF8.GetBytes(Full), "{\"version\":\"v1\"}"u8.ToArray(), ConfigDocuments.Json(1000)])
        {
            GatewayConfig config = ConfigReader.ReadJson(json).Config!;
            Assert.Equal(Convert.ToHexStringLower(SHA256.HashData(CanonicalConfig.Write(config))), CanonicalConfig.Version(config));
        }
    }

    [Fact]
    public void SpellingsOfOneValue_HaveOneVersion()
    {
        string Shutdown(string grace) => Version($$"""{ "version": "v1", "shutdown": { "grace": "{{grace}}" } }""");
        Assert.Equal(Shutdown("1m30s"), Shutdown("90s"));
        Assert.Equal(Shutdown("1m30s"), Shutdown("90000ms"));
        Assert.NotEqual(Shutdown("1m30s"), Shutdown("91s"));
        Assert.Equal(Shutdown("30s"), Version("""{ "version": "v1" }"""));

        string Body(string bytes) => Version($$"""{ "version": "v1", "routes": [{ "name": "a", "respond": {}, "bodyBytes": {{bytes}} }] }""");
        Assert.Equal(Body("65536"), Body("\"64Ki\""));
        Assert.NotEqual(Body("0"), Body("null"));
    }

    [Fact]
    public void LiteralSecrets_AreTellableApartButNeverShown()
    {
        GatewayConfig With(string secret) => Read($$"""{ "version": "v1", "certificates": { "a": { "certFile": "a", "keyFile": "b", "keyPassword": "{{secret}}" } } }""");
        Assert.NotEqual(CanonicalConfig.Version(With("hunter2")), CanonicalConfig.Version(With("hunter3")));
        Assert.DoesNotContain("hunter2", Encoding.UTF8.GetString(CanonicalConfig.Write(With("hunter2"))), StringComparison.Ordinal);
        Assert.Contains("\"keyPassword\":\"***\"", Encoding.UTF8.GetString(CanonicalConfig.WriteForDisplay(With("hunter2"))), StringComparison.Ordinal);
        Assert.DoesNotContain("hunter2", With("hunter2").Certificates["a"].ToString(), StringComparison.Ordinal);
    }

    [Fact]
    public void AResolvedSecret_KeepsItsReferenceInTheCanonicalForm()
    {
        byte[] json = """{ "version": "v1", "certificates": { "a": { "certFile": "a", "keyFile": "b", "keyPassword": "${env:P}" } } }"""u8.ToArray();
        GatewayConfig config = ConfigReader.ReadJson(json, new ReadOptions { EnvironmentVariable = _ => "hunter2" }).Config!;

        Assert.Equal("hunter2", config.Certificates["a"].KeyPassword!.Value);
        Assert.Contains("\"${env:P}\"", Encoding.UTF8.GetString(CanonicalConfig.Write(config)), StringComparison.Ordinal);
    }

    private static JsonNode Shuffle(JsonNode node, Random random) => node switch
    {
        JsonObject o => new JsonObject(Permuted(o.ToArray(), random).Select(p => KeyValuePair.Create(p.Key, p.Value is null ? null : (JsonNode?)Shuffle(p.Value, random)))),
        JsonArray a => new JsonArray([.. a.Select(v => v is null ? null : Shuffle(v, random))]),
        _ => node.DeepClone(),
    };

    private static T[] Permuted<T>(T[] items, Random random)
    {
        random.Shuffle(items);
        return items;
    }

    private static int FillIn(JsonNode? value, JsonNode schema, JsonNode root)
    {
        while (schema["$ref"] is { } reference) schema = root["$defs"]![reference.GetValue<string>()["#/$defs/".Length..]]!;
        if (schema["anyOf"] is JsonArray choices) return value is null ? 0 : FillIn(value, choices[0]!, root);
        int filled = 0;
        if (value is JsonArray list && schema["items"] is { } item)
            foreach (JsonNode? entry in list) filled += FillIn(entry, item, root);
        if (value is not JsonObject map) return filled;
        if (schema["additionalProperties"] is JsonObject entries)
            foreach ((_, JsonNode? entry) in map.ToArray()) filled += FillIn(entry, entries, root);
        foreach ((string name, JsonNode? property) in schema["properties"] as JsonObject ?? [])
        {
            if (!map.ContainsKey(name) && property!["default"] is { } byItself)
            {
                map[name] = byItself.DeepClone();
                filled++;
            }
            filled += FillIn(map[name], property!, root);
        }
        return filled;
    }

    private static IEnumerable<string> Leaves(JsonNode? node, string path) => node switch
    {
        JsonObject o when o.Count > 0 => o.SelectMany(p => Leaves(p.Value, $"{path}/{p.Key}")),
        JsonArray a when a.Count > 0 => a.SelectMany((v, i) => Leaves(v, $"{path}/{i}")),
        _ => [path],
    };

    private static void Remove(JsonNode node, string path)
    {
        string[] parts = path.Split('/')[1..];
        foreach (string part in parts[..^1]) node = node is JsonArray a ? a[int.Parse(part, null)]! : node[part]!;
        if (node is JsonArray list) list.RemoveAt(int.Parse(parts[^1], null));
        else node.AsObject().Remove(parts[^1]);
    }
}
