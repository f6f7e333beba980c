using System.Text.Json;
using System.Text.Json.Nodes;
using Gateway.Config.Canonical;
using Gateway.Config.Reading;

namespace Gateway.Config.Shapes;

/// <summary>A number of bytes in its range, as a number or as a text.</summary>
internal sealed class SizeShape(RangeAttribute? range) : ValueShape<ByteSize>
{
    private readonly long _min = range is null ? 0 : Parse(range.Min);
    private readonly long _max = range is null ? long.MaxValue : Parse(range.Max);

    public override string Expected => "a size such as 65536, \"64Ki\", \"10Mi\" or \"1Gi\"";

    public override bool Read(ref Utf8JsonReader reader, ReadContext context, out ByteSize value)
    {
        value = default;
        switch (reader.TokenType)
        {
            case JsonTokenType.Number:
                if (reader.TryGetInt64(out long bytes) && bytes >= 0)
                {
                    value = new ByteSize(bytes);
                    break;
                }
                context.Error(ConfigErrorCodes.InvalidValue, $"expected {Expected}, got {JsonTokens.Describe(ref reader)}");
                return false;
            case JsonTokenType.String:
                if (!context.TryText(ref reader, out string text)) return false;
                if (ByteSize.TryParse(text, out value)) break;
                context.Error(ConfigErrorCodes.InvalidValue, $"\"{JsonTokens.Shorten(text)}\" is not {Expected}");
                return false;
            default:
                context.WrongType(ref reader, Expected);
                return false;
        }
        if (value.Bytes >= _min && value.Bytes <= _max) return true;
        context.Error(ConfigErrorCodes.OutOfRange, $"{value} is not from {new ByteSize(_min)} to {new ByteSize(_max)}");
        return false;
    }

    private static long Parse(string text) => ByteSize.TryParse(text, out ByteSize value) ? value.Bytes : throw new FormatException(text);

    public override void Write(CanonicalWriter writer, ByteSize value) => writer.Number(value.Bytes);

    public override JsonObject Schema(JsonObject definitions)
    {
        var schema = new JsonObject { ["type"] = new JsonArray("integer", "string"), ["minimum"] = _min };
        if (range is not null) schema["maximum"] = _max;
        schema["pattern"] = "^[0-9]+(Ki|Mi|Gi)?$";
        return schema;
    }
}
