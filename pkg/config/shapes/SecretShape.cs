using System.Diagnostics.CodeAnalysis;
using System.Text.Json;
using System.Text.Json.Nodes;
using Gateway.Config.Canonical;
using Gateway.Config.Reading;

namespace Gateway.Config.Shapes;

/// <summary>A secret: a literal or a reference. No message and no output ever holds its value.</summary>
internal sealed class SecretShape : ValueShape<Secret>
{
    public override string Expected => "a text, or a reference ${env:NAME} or ${file:PATH}";

    public override bool Read(ref Utf8JsonReader reader, ReadContext context, [MaybeNullWhen(false)] out Secret value)
    {
        value = null;
        if (reader.TokenType != JsonTokenType.String)
        {
            context.Error(ConfigErrorCodes.WrongType, $"expected {Expected}, got {JsonTokens.Kind(reader.TokenType)}");
            context.Skip(ref reader);
            return false;
        }
        if (!context.TryText(ref reader, out string text)) return false;
        value = SecretReference.Resolve(text, context);
        context.HoldsLiteralSecret |= value is { Reference: null };
        return value is not null;
    }

    public override void Write(CanonicalWriter writer, Secret value) => writer.Secret(value);

    public override JsonObject Schema(JsonObject definitions) => new() { ["type"] = "string", ["writeOnly"] = true };
}
