using System.Text.Json;

namespace Gateway.Bundle;

/// <summary>Reads a small JSON object strictly: known fields only, each once, of the right kind, nothing nested deeper than it can be.</summary>
internal static class StrictJson
{
    // An envelope has a list of objects; nothing legal is deeper.
    private static readonly JsonDocumentOptions Options = new() { MaxDepth = 4, AllowDuplicateProperties = false };

    public static JsonDocument Parse(ReadOnlyMemory<byte> json, string what)
    {
        try
        {
            JsonDocument document = JsonDocument.Parse(json, Options);
            if (document.RootElement.ValueKind == JsonValueKind.Object) return document;
            document.Dispose();
        }
        catch (JsonException e)
        {
            throw new RefusedException(BundleRefusalCodes.Malformed, $"the {what} is not JSON that can be read: {e.Message}");
        }
        throw new RefusedException(BundleRefusalCodes.Malformed, $"the {what} is not an object");
    }

    public static void Allow(JsonElement element, string what, params ReadOnlySpan<string> fields)
    {
        foreach (JsonProperty property in element.EnumerateObject())
        {
            bool known = false;
            foreach (string field in fields) known |= property.NameEquals(field);
            if (!known) throw new RefusedException(BundleRefusalCodes.UnknownField, $"the {what} has a field that is not known: \"{(property.Name.Length > 40 ? property.Name[..40] + "…" : property.Name)}\"");
        }
    }

    public static string Text(JsonElement element, string what, string field) =>
        element.TryGetProperty(field, out JsonElement value) && value.ValueKind == JsonValueKind.String && TextOf(value) is { } text
            ? text
            : throw new RefusedException(BundleRefusalCodes.Malformed, $"the {what} has no text \"{field}\"");

    public static byte[] Bytes(JsonElement element, string what, string field) =>
        element.TryGetProperty(field, out JsonElement value) && value.ValueKind == JsonValueKind.String && value.TryGetBytesFromBase64(out byte[]? bytes)
            ? bytes
            : throw new RefusedException(BundleRefusalCodes.Malformed, $"the {what} has no base64 text \"{field}\"");

    public static long Number(JsonElement element, string what, string field) =>
        element.TryGetProperty(field, out JsonElement value) && value.ValueKind == JsonValueKind.Number && value.TryGetInt64(out long number)
            ? number
            : throw new RefusedException(BundleRefusalCodes.Malformed, $"the {what} has no whole number \"{field}\"");

    public static DateTimeOffset Time(JsonElement element, string what, string field) =>
        element.TryGetProperty(field, out JsonElement value) && value.ValueKind == JsonValueKind.String && value.TryGetDateTimeOffset(out DateTimeOffset time)
            ? time
            : throw new RefusedException(BundleRefusalCodes.Malformed, $"the {what} has no RFC 3339 time \"{field}\"");

    private static string? TextOf(JsonElement value)
    {
        try
        {
            return value.GetString();
        }
        catch (InvalidOperationException)
        {
            // Half of a surrogate pair.
            return null;
        }
    }
}

/// <summary>Carries a refusal out of the reading of a bundle; never leaves this assembly.</summary>
internal sealed class RefusedException(string code, string message) : Exception(message)
{
    public BundleRefusal Refusal { get; } = new(code, message);
}
