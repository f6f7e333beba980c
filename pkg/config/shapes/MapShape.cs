using System.Diagnostics.CodeAnalysis;
using System.Text.Json;
using System.Text.Json.Nodes;
using Gateway.Config.Canonical;
using Gateway.Config.Reading;

namespace Gateway.Config.Shapes;

/// <summary>An object whose keys are names that the document's author chose.</summary>
internal sealed class MapShape<T>(ValueShape<T> item) : ValueShape<IReadOnlyDictionary<string, T>>
{
    public override string Expected => "an object of named values";

    public override bool Read(ref Utf8JsonReader reader, ReadContext context, [MaybeNullWhen(false)] out IReadOnlyDictionary<string, T> value)
    {
        value = null;
        if (reader.TokenType != JsonTokenType.StartObject)
        {
            context.WrongType(ref reader, Expected);
            return false;
        }
        var items = new Dictionary<string, T>(StringComparer.Ordinal);
        while (reader.Read() && reader.TokenType != JsonTokenType.EndObject)
        {
            if (!context.TryText(ref reader, out string name))
            {
                context.Skip(ref reader);
                continue;
            }
            context.Path.Push(name);
            reader.Read();
            ReadItem(ref reader, context, items, name);
            context.Path.Pop();
        }
        value = items;
        return true;
    }

    private void ReadItem(ref Utf8JsonReader reader, ReadContext context, Dictionary<string, T> items, string name)
    {
        if (items.ContainsKey(name))
        {
            context.Error(ConfigErrorCodes.DuplicateKey, "the name is given twice; keep one, or rename one");
            context.Skip(ref reader);
            return;
        }
        if (name.Contains("${", StringComparison.Ordinal)) SecretReference.Refuse(name, context);
        // An item that could not be read keeps its name, so that what refers to it is not reported too.
        items.Add(name, item.Read(ref reader, context, out T? read) ? read : default!);
    }

    public override void Write(CanonicalWriter writer, IReadOnlyDictionary<string, T> value)
    {
        string[] names = [.. value.Keys];
        Array.Sort(names, StringComparer.Ordinal);
        writer.BeginObject();
        foreach (string name in names)
        {
            writer.Name(name);
            item.Write(writer, value[name]);
        }
        writer.EndObject();
    }

    public override bool Same(IReadOnlyDictionary<string, T> a, IReadOnlyDictionary<string, T> b)
    {
        if (ReferenceEquals(a, b)) return true;
        if (a is null || b is null || a.Count != b.Count) return false;
        foreach ((string name, T value) in a)
            if (!b.TryGetValue(name, out T? other) || !item.Same(value, other)) return false;
        return true;
    }

    public override JsonObject Schema(JsonObject definitions) => new() { ["type"] = "object", ["additionalProperties"] = item.Schema(definitions) };
}
