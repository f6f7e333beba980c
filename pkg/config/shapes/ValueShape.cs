using System.Diagnostics.CodeAnalysis;
using System.Text;
using System.Text.Json;
using System.Text.Json.Nodes;
using Gateway.Config.Canonical;
using Gateway.Config.Reading;

namespace Gateway.Config.Shapes;

/// <summary>
/// What a type of value looks like in a document. Made once from the records by reflection; reading, canonical writing, checking and the
/// schema are four walks over the same shapes, so that they cannot disagree. Immutable, thread safe.
/// </summary>
internal abstract class ValueShape
{
    /// <summary>What is expected, for messages: <c>a duration such as "5s"</c>.</summary>
    public abstract string Expected { get; }

    /// <summary>The JSON Schema of the value; records and enums go to <paramref name="definitions"/> and are referred to.</summary>
    public abstract JsonObject Schema(JsonObject definitions);
}

/// <inheritdoc/>
internal abstract class ValueShape<T> : ValueShape
{
    /// <summary>
    /// Reads the value that the reader stands on and leaves it on the value's last token. False: it was not even of the right kind, which
    /// was reported.
    /// </summary>
    public abstract bool Read(ref Utf8JsonReader reader, ReadContext context, [MaybeNullWhen(false)] out T value);

    public abstract void Write(CanonicalWriter writer, T value);

    /// <summary>The two are written the same.</summary>
    public virtual bool Same(T a, T b) => EqualityComparer<T>.Default.Equals(a, b);

    /// <summary>Adds where two values differ. Both are there.</summary>
    public virtual void Differ(T before, T after, FieldChanges changes)
    {
        if (!Same(before, after)) changes.Add(Text(before), Text(after));
    }

    /// <summary>The value as a document may show it, without secrets.</summary>
    public string Text(T value)
    {
        var writer = new CanonicalWriter(SecretForm.Hidden, withDefaults: false);
        Write(writer, value);
        return Encoding.UTF8.GetString(writer.Written);
    }

    /// <summary>The value as a default in the schema.</summary>
    public JsonNode? ToNode(T value)
    {
        var writer = new CanonicalWriter(SecretForm.Hidden, withDefaults: true);
        Write(writer, value);
        return JsonNode.Parse(writer.Written);
    }
}
