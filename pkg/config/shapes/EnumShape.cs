using System.Reflection;
using System.Text;
using System.Text.Json;
using System.Text.Json.Nodes;
using Gateway.Config.Canonical;
using Gateway.Config.Reading;

namespace Gateway.Config.Shapes;

/// <summary>One word of a few.</summary>
internal sealed class EnumShape<T> : ValueShape<T> where T : struct, Enum
{
    private readonly (T Value, string Name, byte[] Utf8Name, string? Doc)[] _members =
    [
        .. typeof(T).GetFields(BindingFlags.Public | BindingFlags.Static).Select(f =>
        {
            string name = ConfigShapes.FieldName(f);
            return ((T)f.GetValue(null)!, name, Encoding.UTF8.GetBytes(name), f.GetCustomAttribute<DocAttribute>()?.Text);
        }),
    ];

    public override string Expected => $"one of {string.Join(", ", _members.Select(m => $"\"{m.Name}\""))}";

    public override bool Read(ref Utf8JsonReader reader, ReadContext context, out T value)
    {
        value = default;
        if (reader.TokenType != JsonTokenType.String)
        {
            context.WrongType(ref reader, Expected, reader.TokenType == JsonTokenType.Number ? "; put it in double quotes" : "");
            return false;
        }
        foreach (var member in _members)
        {
            if (!JsonTokens.TextEquals(ref reader, member.Utf8Name)) continue;
            value = member.Value;
            return true;
        }
        if (context.TryText(ref reader, out string text))
            context.Error(ConfigErrorCodes.InvalidValue, $"\"{JsonTokens.Shorten(text)}\" is not {Expected}{Suggestion.For(text, _members.Select(m => m.Name))}");
        return false;
    }

    public override void Write(CanonicalWriter writer, T value)
    {
        foreach (var member in _members)
        {
            if (!EqualityComparer<T>.Default.Equals(member.Value, value)) continue;
            writer.Text(member.Name);
            return;
        }
        throw new ArgumentOutOfRangeException(nameof(value), value, $"There is no such {typeof(T).Name}.");
    }

    public override JsonObject Schema(JsonObject definitions)
    {
        string name = ConfigShapes.DefinitionName(typeof(T));
        if (!definitions.ContainsKey(name))
        {
            var choices = new JsonArray();
            foreach (var member in _members)
            {
                var choice = new JsonObject { ["const"] = member.Name };
                if (member.Doc is not null) choice["description"] = member.Doc;
                choices.Add(choice);
            }
            definitions.Add(name, new JsonObject { ["oneOf"] = choices });
        }
        return new JsonObject { ["$ref"] = $"#/$defs/{name}" };
    }
}
