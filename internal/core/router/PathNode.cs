namespace Gateway.Core.Router;

/// <summary>
/// A node of a host's path tree: a radix tree over characters. Immutable once <see cref="PathTreeBuilder{T}"/> has finished it.
/// </summary>
internal sealed class PathNode<T>(string text, int end)
    where T : class
{
    // The key of the node is text[..end]; its label, the part its parent does not have, begins at Start.
    private readonly string _text = text;
    private string _childFirsts = "";

    public ReadOnlySpan<char> Text => _text.AsSpan(0, End);

    public int Start { get; set; }
    public int End { get; } = end;

    /// <summary>Rules for exactly this path.</summary>
    public RuleList<T>? Exact { get; set; }

    /// <summary>Rules for this path and what is under it.</summary>
    public RuleList<T>? Prefix { get; set; }

    /// <summary>The next shorter prefix of whole segments that has rules.</summary>
    public PathNode<T>? ShorterPrefix { get; set; }

    /// <summary>A node at a shorter end of the same text, for where a longer key branches off.</summary>
    public PathNode<T> Above(int end) => new(_text, end);

    public PathNode<T>[] Children { get; private set; } = [];

    public void SetChildren(PathNode<T>[] children)
    {
        Children = children;
        _childFirsts = string.Create(children.Length, children, static (firsts, nodes) =>
        {
            for (int i = 0; i < nodes.Length; i++) firsts[i] = nodes[i]._text[nodes[i].Start];
        });
    }

    /// <summary>Walks down from the root along <paramref name="path"/>.</summary>
    /// <param name="exact">The node of the whole path, or null.</param>
    /// <returns>The node of the longest prefix that has rules, or null.</returns>
    public static PathNode<T>? Walk(PathNode<T> root, ReadOnlySpan<char> path, out PathNode<T>? exact)
    {
        exact = null;
        PathNode<T>? longest = null;
        PathNode<T> node = root;
        while (path[node.Start..].StartsWith(node._text.AsSpan(node.Start, node.End - node.Start)))
        {
            if (node.End == path.Length)
            {
                if (node.Exact is not null) exact = node;
                return node.Prefix is not null ? node : longest;
            }
            char next = path[node.End];
            if (next == '/' && node.Prefix is not null) longest = node;
            int child = node._childFirsts.AsSpan().IndexOf(next);
            if (child < 0) return longest;
            node = node.Children[child];
        }
        return longest;
    }
}
