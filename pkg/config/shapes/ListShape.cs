using System.Buffers;
using System.Diagnostics.CodeAnalysis;
using System.Runtime.CompilerServices;
using System.Text.Json;
using System.Text.Json.Nodes;
using Gateway.Config.Canonical;
using Gateway.Config.Reading;

namespace Gateway.Config.Shapes;

/// <summary>A list of equal items.</summary>
internal sealed class ListShape<T>(ValueShape<T> item) : ValueShape<IReadOnlyList<T>>
{
    public override string Expected => "a list";

    public override bool Read(ref Utf8JsonReader reader, ReadContext context, [MaybeNullWhen(false)] out IReadOnlyList<T> value)
    {
        value = null;
        if (reader.TokenType != JsonTokenType.StartArray)
        {
            context.WrongType(ref reader, Expected, reader.TokenType == JsonTokenType.Null ? "" : "; a single item stands in square brackets too");
            return false;
        }
        T[] items = ArrayPool<T>.Shared.Rent(8);
        int count = 0;
        try
        {
            while (reader.Read() && reader.TokenType != JsonTokenType.EndArray)
            {
                context.Path.PushIndex(count);
                if (count == items.Length) items = Grow(items);
                // An item that could not be read keeps its place, so that the paths of later errors are right.
                items[count++] = item.Read(ref reader, context, out T? read) ? read : default!;
                context.Path.Pop();
            }
            value = items.AsSpan(0, count).ToArray();
            return true;
        }
        finally
        {
            ArrayPool<T>.Shared.Return(items, RuntimeHelpers.IsReferenceOrContainsReferences<T>());
        }
    }

    private static T[] Grow(T[] full)
    {
        T[] larger = ArrayPool<T>.Shared.Rent(full.Length * 2);
        full.CopyTo(larger, 0);
        ArrayPool<T>.Shared.Return(full, RuntimeHelpers.IsReferenceOrContainsReferences<T>());
        return larger;
    }

    public override void Write(CanonicalWriter writer, IReadOnlyList<T> value)
    {
        writer.BeginList();
        for (int i = 0; i < value.Count; i++)
        {
            writer.NextItem();
            item.Write(writer, value[i]);
        }
        writer.EndList();
    }

    public override bool Same(IReadOnlyList<T> a, IReadOnlyList<T> b)
    {
        if (ReferenceEquals(a, b)) return true;
        if (a is null || b is null || a.Count != b.Count) return false;
        for (int i = 0; i < a.Count; i++)
            if (!item.Same(a[i], b[i])) return false;
        return true;
    }

    public override JsonObject Schema(JsonObject definitions) => new() { ["type"] = "array", ["items"] = item.Schema(definitions) };
}
