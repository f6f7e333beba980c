using System.Text.Json;
using System.Text.Json.Nodes;
using Gateway.Config.Canonical;
using Gateway.Config.Reading;

namespace Gateway.Config.Shapes;

/// <summary>What of a request, as a text.</summary>
internal sealed class RequestKeyShape : ValueShape<RequestKey>
{
    public override string Expected => "\"ip\", \"path\", \"header:NAME\", \"cookie:NAME\" or \"query:NAME\"";

    public override bool Read(ref Utf8JsonReader reader, ReadContext context, out RequestKey value)
    {
        value = default;
        if (reader.TokenType != JsonTokenType.String)
        {
            context.WrongType(ref reader, Expected);
            return false;
        }
        if (!context.TryText(ref reader, out string text)) return false;
        if (RequestKey.TryParse(text, out value)) return true;
        context.Error(ConfigErrorCodes.InvalidValue, $"\"{JsonTokens.Shorten(text)}\" is not {Expected}");
        return false;
    }

    public override void Write(CanonicalWriter writer, RequestKey value) => writer.Text(value.ToString());

    public override JsonObject Schema(JsonObject definitions) =>
        new() { ["type"] = "string", ["pattern"] = "^(ip|path|header:.+|cookie:.+|query:.+)$" };
}
