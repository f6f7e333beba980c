using System.Text.Encodings.Web;
using System.Text.Json;
using System.Text.Json.Nodes;
using Gateway.Config.Shapes;

namespace Gateway.Config;

/// <summary>The JSON Schema (draft 2020-12) of a configuration, made from the records: what is written by hand there is all there is.</summary>
public static class GatewaySchema
{
    private static readonly JsonSerializerOptions Layout = new()
    {
        WriteIndented = true,
        NewLine = "\n",
        Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping,
    };

    /// <summary>The schema as indented JSON with a line end at its end, the same bytes every time.</summary>
    public static string Write()
    {
        var definitions = new JsonObject();
        var schema = new JsonObject
        {
            ["$schema"] = "https://json-schema.org/draft/2020-12/schema",
            ["$id"] = "urn:gateway:config:v1",
            ["title"] = "Gateway configuration",
        };
        ConfigShapes.Root.Describe(schema, definitions);
        schema["$defs"] = definitions;
        return schema.ToJsonString(Layout) + "\n";
    }
}
