using System.Globalization;
using System.Text.Json;
using System.Text.Json.Nodes;
using Gateway.Config.Canonical;
using Gateway.Config.Reading;

namespace Gateway.Config.Shapes;

/// <summary>True or false.</summary>
internal sealed class BooleanShape : ValueShape<bool>
{
    public override string Expected => "true or false";

    public override bool Read(ref Utf8JsonReader reader, ReadContext context, out bool value)
    {
        value = reader.TokenType == JsonTokenType.True;
        if (value || reader.TokenType == JsonTokenType.False) return true;
        context.WrongType(ref reader, Expected);
        return false;
    }

    public override void Write(CanonicalWriter writer, bool value) => writer.Raw(value ? "true"u8 : "false"u8);

    public override JsonObject Schema(JsonObject definitions) => new() { ["type"] = "boolean" };
}

/// <summary>A finite number.</summary>
internal sealed class NumberShape : ValueShape<double>
{
    public override string Expected => "a number";

    public override bool Read(ref Utf8JsonReader reader, ReadContext context, out double value)
    {
        value = 0;
        if (reader.TokenType != JsonTokenType.Number)
        {
            context.WrongType(ref reader, Expected);
            return false;
        }
        if (reader.TryGetDouble(out value) && double.IsFinite(value)) return true;
        context.Error(ConfigErrorCodes.OutOfRange, $"{JsonTokens.Describe(ref reader)} is too large");
        return false;
    }

    public override void Write(CanonicalWriter writer, double value) => writer.Number(value);

    public override JsonObject Schema(JsonObject definitions) => new() { ["type"] = "number" };
}

/// <summary>A whole number in its range.</summary>
internal sealed class IntegerShape(RangeAttribute? range) : ValueShape<int>
{
    private readonly int _min = range is null ? int.MinValue : int.Parse(range.Min, CultureInfo.InvariantCulture);
    private readonly int _max = range is null ? int.MaxValue : int.Parse(range.Max, CultureInfo.InvariantCulture);

    public override string Expected => range is null ? "a whole number" : $"a whole number from {_min} to {_max}";

    public override bool Read(ref Utf8JsonReader reader, ReadContext context, out int value)
    {
        value = 0;
        if (reader.TokenType != JsonTokenType.Number)
        {
            context.WrongType(ref reader, Expected);
            return false;
        }
        if (reader.TryGetInt32(out value))
        {
            if (value >= _min && value <= _max) return true;
            context.Error(ConfigErrorCodes.OutOfRange, $"{value} is not from {_min} to {_max}");
            return false;
        }
        bool whole = reader.TryGetInt64(out _);
        context.Error(whole ? ConfigErrorCodes.OutOfRange : ConfigErrorCodes.InvalidValue, $"expected {Expected}, got {JsonTokens.Describe(ref reader)}");
        return false;
    }

    public override void Write(CanonicalWriter writer, int value) => writer.Number(value);

    public override JsonObject Schema(JsonObject definitions)
    {
        var schema = new JsonObject { ["type"] = "integer" };
        if (range is not null)
        {
            schema["minimum"] = _min;
            schema["maximum"] = _max;
        }
        return schema;
    }
}

/// <summary>A value type that may be absent; its null is the field's business.</summary>
internal sealed class NullableShape<T>(ValueShape<T> inner) : ValueShape<T?> where T : struct
{
    public override string Expected => inner.Expected;

    public override bool Read(ref Utf8JsonReader reader, ReadContext context, out T? value)
    {
        bool read = inner.Read(ref reader, context, out T known);
        value = known;
        return read;
    }

    public override void Write(CanonicalWriter writer, T? value) => inner.Write(writer, value.GetValueOrDefault());

    public override JsonObject Schema(JsonObject definitions) => inner.Schema(definitions);
}
