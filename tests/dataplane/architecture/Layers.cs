namespace Gateway.DataPlane.Tests.Architecture;

/// <summary>Finds the uses of types that the folders' order forbids.</summary>
public static class Layers
{
    /// <summary>
    /// The uses inside <paramref name="root"/> that go up, or sideways between folders of the same layer. A folder that the order does not
    /// name is reported too: a new one must be placed.
    /// </summary>
    /// <param name="uses">What the assembly uses.</param>
    /// <param name="root">The namespace whose children are the folders.</param>
    /// <param name="order">The layers from the lowest; each lists its folders.</param>
    public static IReadOnlyList<string> Violations(IEnumerable<TypeUse> uses, string root, string[][] order)
    {
        var found = new SortedSet<string>(StringComparer.Ordinal);
        foreach (TypeUse use in uses)
        {
            if (Folder(use.From, root) is not { } from || Folder(use.To, root) is not { } to || from == to) continue;
            int fromLayer = Array.FindIndex(order, layer => layer.Contains(from)), toLayer = Array.FindIndex(order, layer => layer.Contains(to));
            if (fromLayer < 0) _ = found.Add($"{use.From}: folder {from} has no place in the order");
            else if (toLayer >= fromLayer) _ = found.Add($"{use.From}.{use.Member} uses {use.To}: {from} must not see {to}");
        }
        return [.. found];
    }

    /// <summary>The uses between different folders below <paramref name="root"/>, of which none may see another.</summary>
    public static IReadOnlyList<string> SiblingUses(IEnumerable<TypeUse> uses, string root) =>
        [.. uses
            .Where(u => Folder(u.From, root) is { } from && Folder(u.To, root) is { } to && from != to)
            .Select(u => $"{u.From}.{u.Member} uses {u.To}").Distinct().Order(StringComparer.Ordinal)];

    /// <summary>The first name below <paramref name="root"/> in the namespace of <paramref name="type"/>; null for a type elsewhere or in root itself.</summary>
    private static string? Folder(string type, string root)
    {
        if (!type.StartsWith(root + ".", StringComparison.Ordinal)) return null;
        string rest = type[(root.Length + 1)..];
        int dot = rest.IndexOf('.', StringComparison.Ordinal);
        return dot < 0 ? null : rest[..dot];
    }
}
