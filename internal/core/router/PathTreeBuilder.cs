using System.Runtime.InteropServices;

namespace Gateway.Core.Router;

/// <summary>
/// Builds path trees from rules in order of their paths, in one pass and without recursion: the stack holds the path from the root to the
/// key added last. Reused from host to host.
/// </summary>
internal sealed class PathTreeBuilder<T>
    where T : class
{
    private struct Frame
    {
        public PathNode<T> Node;
        public PathNode<T>? NearestPrefix;
        public int FirstChild;
    }

    private readonly List<Frame> _stack = [];

    // Finished nodes that wait for their parent to be finished; a frame's children are the last ones.
    private readonly List<PathNode<T>> _finished = [];

    /// <summary>
    /// Rules with an exact path or a prefix, sorted by path (ordinal), exact before prefix, then in the order to ask them. Null when there are none.
    /// </summary>
    public PathNode<T>? Build(ReadOnlySpan<CompiledRule<T>> sorted)
    {
        if (sorted.Length == 0) return null;
        Push(new PathNode<T>("", 0));
        for (int from = 0; from < sorted.Length;)
        {
            string key = sorted[from].Path;
            int exactEnd = from;
            while (exactEnd < sorted.Length && sorted[exactEnd].Rule.PathKind == PathKind.Exact && sorted[exactEnd].Path == key) exactEnd++;
            int end = exactEnd;
            while (end < sorted.Length && sorted[end].Path == key) end++;
            Add(key, sorted[from..exactEnd], sorted[exactEnd..end]);
            from = end;
        }
        while (_stack.Count > 1) Finish(_stack[^2].Node.End);
        PathNode<T> root = _stack[0].Node;
        TakeChildren(_stack[0]);
        _stack.Clear();
        return root;
    }

    private void Add(string key, ReadOnlySpan<CompiledRule<T>> exact, ReadOnlySpan<CompiledRule<T>> prefix)
    {
        int common = key.AsSpan().CommonPrefixLength(_stack[^1].Node.Text);
        while (_stack[^1].Node.End > common) Finish(common);
        if (_stack[^1].Node.End < key.Length) Push(new PathNode<T>(key, key.Length));

        ref Frame top = ref CollectionsMarshal.AsSpan(_stack)[^1];
        if (exact.Length != 0) top.Node.Exact = new RuleList<T>(exact);
        if (prefix.Length == 0) return;
        top.Node.Prefix = new RuleList<T>(prefix);
        // A shorter key that is no whole-segment prefix of this one ("/api" of "/apis") has, for its own shorter ones, the answer.
        PathNode<T>? above = top.NearestPrefix;
        top.Node.ShorterPrefix = above is null || key[above.End] == '/' ? above : above.ShorterPrefix;
        top.NearestPrefix = top.Node;
    }

    private void Push(PathNode<T> node)
    {
        PathNode<T>? nearest = _stack.Count == 0 ? null : _stack[^1].NearestPrefix;
        _stack.Add(new Frame { Node = node, NearestPrefix = nearest, FirstChild = _finished.Count });
    }

    /// <summary>Takes the top off the stack and hands it to its parent, which is made at <paramref name="splitAt"/> when there is none so deep.</summary>
    private void Finish(int splitAt)
    {
        Frame frame = _stack[^1];
        _stack.RemoveAt(_stack.Count - 1);
        TakeChildren(frame);
        Frame parent = _stack[^1];
        if (parent.Node.End < splitAt) Push(frame.Node.Above(splitAt));
        frame.Node.Start = _stack[^1].Node.End;
        _finished.Add(frame.Node);
    }

    private void TakeChildren(in Frame frame)
    {
        int count = _finished.Count - frame.FirstChild;
        if (count == 0) return;
        var children = new PathNode<T>[count];
        _finished.CopyTo(frame.FirstChild, children, 0, count);
        _finished.RemoveRange(frame.FirstChild, count);
        frame.Node.SetChildren(children);
    }
}
