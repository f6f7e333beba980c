using System.Reflection;
using System.Runtime.CompilerServices;
using System.Text;
using System.Text.Json;
using System.Text.Json.Nodes;
using Gateway.Config.Canonical;
using Gateway.Config.Reading;

namespace Gateway.Config.Shapes;

/// <summary>One field of a record.</summary>
internal abstract class FieldShape<TRecord> where TRecord : class
{
    protected FieldShape(PropertyInfo property)
    {
        Property = property;
        Name = ConfigShapes.FieldName(property);
        Utf8Name = Encoding.UTF8.GetBytes(Name);
        IsRequired = property.IsDefined(typeof(RequiredMemberAttribute));
        // What an editor wants of the document ($schema) is no part of the configuration.
        IsIgnored = Name.StartsWith('$');
    }

    protected PropertyInfo Property { get; }

    public string PropertyName => Property.Name;

    public string Name { get; }

    public byte[] Utf8Name { get; }

    public bool IsRequired { get; }

    public bool IsIgnored { get; }

    /// <summary>What a document may write, for the message on a missing field.</summary>
    public abstract string ExpectedValue { get; }

    public abstract void Read(ref Utf8JsonReader reader, ReadContext context, TRecord target);

    public abstract bool IsDefault(TRecord source);

    /// <summary>Writes the value without its name.</summary>
    public abstract void WriteValue(CanonicalWriter writer, TRecord source);

    /// <summary>Writes name and value, unless the value is the default.</summary>
    public abstract void Write(CanonicalWriter writer, TRecord source);

    public abstract bool Same(TRecord a, TRecord b);

    /// <summary>Adds where the field differs between two records.</summary>
    public abstract void Differ(TRecord before, TRecord after, FieldChanges changes);

    public abstract JsonObject Schema(JsonObject definitions);

    public static FieldShape<TRecord> Create(PropertyInfo property, TRecord sample)
    {
        ValueShape value = ConfigShapes.For(property.PropertyType, property.GetCustomAttribute<RangeAttribute>());
        Type type = typeof(FieldShape<,>).MakeGenericType(typeof(TRecord), property.PropertyType);
        return (FieldShape<TRecord>)Activator.CreateInstance(type, property, value, sample)!;
    }
}

/// <inheritdoc/>
internal sealed class FieldShape<TRecord, TValue> : FieldShape<TRecord> where TRecord : class
{
    // Code that was not optimized yet boxes a value to compare it with null, and most documents are written by such code.
    private static readonly bool CanBeNull = default(TValue) is null;

    private readonly ValueShape<TValue> _value;
    private readonly Func<TRecord, TValue> _get;
    private readonly Action<TRecord, TValue> _set;
    private readonly TValue _default;

    public FieldShape(PropertyInfo property, ValueShape value, TRecord sample) : base(property)
    {
        _value = (ValueShape<TValue>)value;
        _get = property.GetMethod!.CreateDelegate<Func<TRecord, TValue>>();
        _set = property.SetMethod!.CreateDelegate<Action<TRecord, TValue>>();
        _default = _get(sample);
    }

    /// <summary>The field may be null, which means that it is absent: it is not required, and absent is what it is by itself.</summary>
    private bool IsNullable => !IsRequired && _default is null;

    public override string ExpectedValue => _value.Expected;

    public override void Read(ref Utf8JsonReader reader, ReadContext context, TRecord target)
    {
        if (reader.TokenType == JsonTokenType.Null)
        {
            if (!IsNullable) context.Error(ConfigErrorCodes.WrongType, $"expected {_value.Expected}, got null{(IsRequired ? "" : "; leave the field out for its default")}");
            return;
        }
        if (_value.Read(ref reader, context, out TValue? value)) _set(target, value);
    }

    public override bool IsDefault(TRecord source) => !IsRequired && _value.Same(_get(source), _default);

    public override void WriteValue(CanonicalWriter writer, TRecord source) => _value.Write(writer, _get(source));

    public override void Write(CanonicalWriter writer, TRecord source)
    {
        if (IsIgnored) return;
        TValue value = _get(source);
        bool isNull = CanBeNull && value is null;
        if (isNull && !writer.WithDefaults) return;
        if (!writer.WithDefaults && !IsRequired && _value.Same(value, _default)) return;
        writer.Name(Utf8Name);
        if (isNull) writer.Null();
        else _value.Write(writer, value);
    }

    public override bool Same(TRecord a, TRecord b) => IsIgnored || _value.Same(_get(a), _get(b));

    public override void Differ(TRecord before, TRecord after, FieldChanges changes)
    {
        if (Same(before, after)) return;
        TValue a = _get(before), b = _get(after);
        changes.Path.Push(Name);
        if (a is null || b is null) changes.Add(a is null ? null : _value.Text(a), b is null ? null : _value.Text(b));
        else _value.Differ(a, b, changes);
        changes.Path.Pop();
    }

    public override JsonObject Schema(JsonObject definitions)
    {
        JsonObject schema = _value.Schema(definitions);
        if (IsNullable) AllowNull(ref schema);
        if (Property.GetCustomAttribute<DocAttribute>() is { } doc) schema["description"] = doc.Text;
        if (!IsRequired && _default is not null) schema["default"] = _value.ToNode(_default);
        if (Property.GetCustomAttribute<ExampleAttribute>() is { } example) schema["examples"] = new JsonArray(JsonNode.Parse(example.Json));
        return schema;
    }

    private static void AllowNull(ref JsonObject schema)
    {
        switch (schema["type"])
        {
            case JsonValue one: schema["type"] = new JsonArray(one.GetValue<string>(), "null"); break;
            case JsonArray several: several.Add("null"); break;
            default: schema = new JsonObject { ["anyOf"] = new JsonArray(schema, new JsonObject { ["type"] = "null" }) }; break;
        }
    }
}
