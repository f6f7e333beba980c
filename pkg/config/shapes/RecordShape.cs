using System.Diagnostics.CodeAnalysis;
using System.Reflection;
using System.Text.Json;
using System.Text.Json.Nodes;
using Gateway.Config.Canonical;
using Gateway.Config.Reading;

namespace Gateway.Config.Shapes;

/// <summary>An object with known fields.</summary>
internal sealed class RecordShape<T> : ValueShape<T> where T : class
{
    private readonly FieldShape<T>[] _fields;
    private readonly ulong _required;

    public RecordShape()
    {
        // The order of declaration is the order of the canonical form and of the schema.
        PropertyInfo[] properties = [.. typeof(T).GetProperties(BindingFlags.Public | BindingFlags.Instance | BindingFlags.DeclaredOnly)
            .Where(p => p.SetMethod is not null).OrderBy(p => p.MetadataToken)];
        if (properties.Length > 64) throw new InvalidOperationException($"{typeof(T).Name} has more than 64 fields.");
        T sample = Activator.CreateInstance<T>();
        _fields = new FieldShape<T>[properties.Length];
        for (int i = 0; i < properties.Length; i++)
        {
            _fields[i] = FieldShape<T>.Create(properties[i], sample);
            if (_fields[i].IsRequired) _required |= 1UL << i;
        }
    }

    public override string Expected => "an object";

    /// <summary>The field of a property.</summary>
    public FieldShape<T> Field(string property) => _fields.Single(f => f.PropertyName == property);

    /// <summary>No other field has anything but its default.</summary>
    public bool IsDefaultBut(FieldShape<T> one, T value)
    {
        foreach (FieldShape<T> field in _fields)
            if (field != one && !field.IsDefault(value)) return false;
        return true;
    }

    public override bool Read(ref Utf8JsonReader reader, ReadContext context, [MaybeNullWhen(false)] out T value)
    {
        value = null;
        if (reader.TokenType != JsonTokenType.StartObject)
        {
            context.WrongType(ref reader, Expected);
            return false;
        }
        value = Activator.CreateInstance<T>();
        ulong seen = 0;
        int expected = 0;
        while (reader.Read() && reader.TokenType != JsonTokenType.EndObject)
        {
            int index = Find(ref reader, expected);
            if (index < 0)
            {
                Unknown(ref reader, context);
                continue;
            }
            expected = index + 1;
            FieldShape<T> field = _fields[index];
            context.Path.Push(field.Name);
            reader.Read();
            if ((seen & 1UL << index) == 0) field.Read(ref reader, context, value);
            else Duplicate(ref reader, context);
            seen |= 1UL << index;
            context.Path.Pop();
        }
        if ((_required & ~seen) != 0) Missing(_required & ~seen, context);
        return true;
    }

    /// <summary>The index of the field whose name the reader stands on, -1 when there is none. Documents mostly keep the order of declaration, so the next field is tried first.</summary>
    private int Find(ref Utf8JsonReader reader, int expected)
    {
        FieldShape<T>[] fields = _fields;
        ReadOnlySpan<byte> name = reader.ValueSpan;
        bool escaped = reader.ValueIsEscaped;
        for (int k = 0, i = expected; k < fields.Length; k++, i++)
        {
            if (i >= fields.Length) i = 0;
            if (escaped ? JsonTokens.TextEquals(ref reader, fields[i].Utf8Name) : name.SequenceEqual(fields[i].Utf8Name)) return i;
        }
        return -1;
    }

    private void Unknown(ref Utf8JsonReader reader, ReadContext context)
    {
        string? name = null;
        if (context.Errors.IsFull) context.Errors.AddUnlisted();
        else if (context.TryText(ref reader, out name)) Report(context, name);
        context.Path.Push(name ?? "");
        context.Skip(ref reader);
        context.Path.Pop();
    }

    private void Report(ReadContext context, string unknown)
    {
        string[] names = [.. _fields.Select(f => f.Name)];
        context.Path.Push(unknown);
        context.Error(ConfigErrorCodes.UnknownField, $"there is no such field{Suggestion.For(unknown, names)} (fields: {string.Join(", ", names)})");
        context.Path.Pop();
    }

    private static void Duplicate(ref Utf8JsonReader reader, ReadContext context)
    {
        context.Error(ConfigErrorCodes.DuplicateKey, "the field is given twice; keep one");
        context.Skip(ref reader);
    }

    private void Missing(ulong missing, ReadContext context)
    {
        for (int i = 0; i < _fields.Length; i++)
        {
            if ((missing & 1UL << i) == 0) continue;
            context.Path.Push(_fields[i].Name);
            context.Error(ConfigErrorCodes.MissingField, $"the field is required; add \"{_fields[i].Name}\": {_fields[i].ExpectedValue}");
            context.Path.Pop();
        }
    }

    public override void Write(CanonicalWriter writer, T value)
    {
        writer.BeginObject();
        foreach (FieldShape<T> field in _fields) field.Write(writer, value);
        writer.EndObject();
    }

    public override bool Same(T a, T b)
    {
        if (ReferenceEquals(a, b)) return true;
        if (a is null || b is null) return false;
        foreach (FieldShape<T> field in _fields)
            if (!field.Same(a, b)) return false;
        return true;
    }

    public override void Differ(T before, T after, FieldChanges changes)
    {
        if (ReferenceEquals(before, after)) return;
        foreach (FieldShape<T> field in _fields) field.Differ(before, after, changes);
    }

    /// <summary>The names of the fields that differ.</summary>
    public IEnumerable<string> ChangedFields(T before, T after) => _fields.Where(f => !f.Same(before, after)).Select(static f => f.Name);

    public override JsonObject Schema(JsonObject definitions)
    {
        string name = ConfigShapes.DefinitionName(typeof(T));
        if (!definitions.ContainsKey(name))
        {
            var schema = new JsonObject();
            definitions.Add(name, schema);
            Describe(schema, definitions);
        }
        return new JsonObject { ["$ref"] = $"#/$defs/{name}" };
    }

    /// <summary>The schema of the object itself, in place.</summary>
    public void Describe(JsonObject schema, JsonObject definitions)
    {
        schema["type"] = "object";
        if (typeof(T).GetCustomAttribute<DocAttribute>() is { } doc) schema["description"] = doc.Text;
        schema["additionalProperties"] = false;
        string[] required = [.. _fields.Where(f => f.IsRequired).Select(f => f.Name)];
        if (required.Length > 0) schema["required"] = new JsonArray([.. required.Select(r => JsonValue.Create(r))]);
        var properties = new JsonObject();
        foreach (FieldShape<T> field in _fields) properties[field.Name] = field.Schema(definitions);
        schema["properties"] = properties;
    }
}
