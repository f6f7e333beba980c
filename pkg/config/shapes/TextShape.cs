using System.Diagnostics.CodeAnalysis;
using System.Text.Json;
using System.Text.Json.Nodes;
using Gateway.Config.Canonical;
using Gateway.Config.Reading;

namespace Gateway.Config.Shapes;

/// <summary>A text.</summary>
internal sealed class TextShape : ValueShape<string>
{
    public override string Expected => "a text";

    public override bool Read(ref Utf8JsonReader reader, ReadContext context, [MaybeNullWhen(false)] out string value)
    {
        value = null;
        if (reader.TokenType != JsonTokenType.String)
        {
            bool isScalar = reader.TokenType is JsonTokenType.Number or JsonTokenType.True or JsonTokenType.False;
            context.WrongType(ref reader, Expected, isScalar ? "; put it in double quotes" : "");
            return false;
        }
        if (!context.TryText(ref reader, out value)) return false;
        if (value.Contains("${", StringComparison.Ordinal)) SecretReference.Refuse(value, context);
        return true;
    }

    public override void Write(CanonicalWriter writer, string value) => writer.Text(value);

    public override JsonObject Schema(JsonObject definitions) => new() { ["type"] = "string" };
}
