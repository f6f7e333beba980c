using System.Text.Json;
using System.Text.Json.Nodes;
using Gateway.Config.Canonical;
using Gateway.Config.Reading;

namespace Gateway.Config.Shapes;

/// <summary>A duration in its range.</summary>
internal sealed class DurationShape(RangeAttribute? range) : ValueShape<TimeSpan>
{
    private readonly TimeSpan _min = range is null ? TimeSpan.Zero : Parse(range.Min);
    private readonly TimeSpan _max = range is null ? TimeSpan.FromHours(99_999) : Parse(range.Max);

    public override string Expected => "a duration such as \"250ms\", \"5s\" or \"1h30m\"";

    public override bool Read(ref Utf8JsonReader reader, ReadContext context, out TimeSpan value)
    {
        value = default;
        if (reader.TokenType != JsonTokenType.String)
        {
            context.WrongType(ref reader, Expected, reader.TokenType == JsonTokenType.Number ? "; write it with its unit, in double quotes" : "");
            return false;
        }
        if (!context.TryText(ref reader, out string text)) return false;
        if (!DurationText.TryParse(text, out value))
        {
            context.Error(ConfigErrorCodes.InvalidValue, $"\"{JsonTokens.Shorten(text)}\" is not {Expected} (units h, m, s, ms; at most five digits each)");
            return false;
        }
        if (value >= _min && value <= _max) return true;
        context.Error(ConfigErrorCodes.OutOfRange, $"{text} is not from {DurationText.Format(_min)} to {DurationText.Format(_max)}");
        return false;
    }

    private static TimeSpan Parse(string text) => DurationText.TryParse(text, out TimeSpan value) ? value : throw new FormatException(text);

    public override void Write(CanonicalWriter writer, TimeSpan value) => writer.Text(DurationText.Format(value));

    public override JsonObject Schema(JsonObject definitions)
    {
        var schema = new JsonObject { ["type"] = "string", ["pattern"] = DurationText.Pattern };
        // No keyword of JSON Schema orders durations; the range is there for people.
        if (range is not null) schema["$comment"] = $"from {range.Min} to {range.Max}";
        return schema;
    }
}
