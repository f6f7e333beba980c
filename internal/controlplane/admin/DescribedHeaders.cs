using System.Text.Json;

namespace Gateway.ControlPlane.Admin;

/// <summary>Header fields as a JSON object: a text for each name, or a list of texts for a name that comes more than once.</summary>
internal static class DescribedHeaders
{
    /// <summary>Null when it is another kind of value.</summary>
    public static IReadOnlyList<KeyValuePair<string, string>>? Read(JsonElement element)
    {
        if (element.ValueKind != JsonValueKind.Object) return null;
        var headers = new List<KeyValuePair<string, string>>();
        foreach (JsonProperty field in element.EnumerateObject())
        {
            if (field.Value.ValueKind == JsonValueKind.String)
            {
                headers.Add(new(field.Name, field.Value.GetString()!));
                continue;
            }
            if (field.Value.ValueKind != JsonValueKind.Array) return null;
            foreach (JsonElement value in field.Value.EnumerateArray())
            {
                if (value.ValueKind != JsonValueKind.String) return null;
                headers.Add(new(field.Name, value.GetString()!));
            }
        }
        return headers;
    }
}
