using System.Diagnostics.CodeAnalysis;
using System.Text.Json;
using System.Text.Json.Nodes;
using Gateway.Config.Canonical;
using Gateway.Config.Reading;

namespace Gateway.Config.Shapes;

/// <summary>An object, or the value of its main field alone, which is how it is written when nothing else is set.</summary>
internal sealed class ShorthandShape<T>(RecordShape<T> record, FieldShape<T> main) : ValueShape<T> where T : class
{
    public override string Expected => $"{main.ExpectedValue}, or an object";

    public override bool Read(ref Utf8JsonReader reader, ReadContext context, [MaybeNullWhen(false)] out T value)
    {
        if (reader.TokenType == JsonTokenType.StartObject) return record.Read(ref reader, context, out value);
        value = null;
        if (reader.TokenType != JsonTokenType.String)
        {
            context.WrongType(ref reader, Expected);
            return false;
        }
        value = Activator.CreateInstance<T>();
        main.Read(ref reader, context, value);
        return true;
    }

    public override void Write(CanonicalWriter writer, T value)
    {
        if (record.IsDefaultBut(main, value)) main.WriteValue(writer, value);
        else record.Write(writer, value);
    }

    public override bool Same(T a, T b) => record.Same(a, b);

    public override JsonObject Schema(JsonObject definitions) => new() { ["anyOf"] = new JsonArray(main.Schema(definitions), record.Schema(definitions)) };
}
