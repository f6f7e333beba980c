namespace Gateway.Core.Router;

/// <summary>
/// A node of the tree of wildcard hosts, by labels from the right: <c>*.shop.example.com</c> lies at com, example, shop. A wildcard
/// stands for one or more labels (Gateway API), so its own suffix alone is not matched.
/// </summary>
internal sealed class WildcardNode<T>
    where T : class
{
    private Dictionary<string, WildcardNode<T>>? _children;
    private Dictionary<string, WildcardNode<T>>.AlternateLookup<ReadOnlySpan<char>> _lookup;

    // Top-level domains and companies: most nodes near the root have one child, for which comparing is cheaper than hashing.
    private string? _onlyLabel;
    private WildcardNode<T>? _onlyChild;

    public HostRoutes<T>? Routes { get; private set; }

    /// <summary>The wildcard as rules write it; null where there are no routes.</summary>
    public string? Host { get; private set; }

    /// <summary>The nearest node above that has routes: the next shorter wildcard.</summary>
    public WildcardNode<T>? Shorter { get; private set; }

    public void Set(string host, HostRoutes<T> routes) => (Host, Routes) = (host, routes);

    public WildcardNode<T> Add(ReadOnlySpan<char> suffix)
    {
        WildcardNode<T> node = this;
        while (suffix.Length != 0)
        {
            int dot = suffix.LastIndexOf('.');
            node = node.Child(suffix[(dot + 1)..]);
            suffix = dot < 0 ? default : suffix[..dot];
        }
        return node;
    }

    /// <summary>To be called on the root once all routes are set.</summary>
    public void Link()
    {
        var pending = new Stack<WildcardNode<T>>();
        pending.Push(this);
        while (pending.TryPop(out WildcardNode<T>? node))
        {
            if (node._children is null) continue;
            foreach (WildcardNode<T> child in node._children.Values)
            {
                child.Shorter = node.Routes is not null ? node : node.Shorter;
                pending.Push(child);
            }
            if (node._children.Count == 1) (node._onlyLabel, node._onlyChild) = node._children.Single();
        }
    }

    /// <summary>Adds the wildcards that have routes, from this node down.</summary>
    public void AddTo(List<(string Host, HostRoutes<T> Routes)> all)
    {
        var pending = new Stack<WildcardNode<T>>();
        pending.Push(this);
        while (pending.TryPop(out WildcardNode<T>? node))
        {
            if (node.Routes is not null) all.Add((node.Host!, node.Routes));
            if (node._children is null) continue;
            foreach (WildcardNode<T> child in node._children.Values) pending.Push(child);
        }
    }

    /// <summary>The node of the longest wildcard that has routes and matches the host; null for none.</summary>
    public WildcardNode<T>? Longest(ReadOnlySpan<char> host)
    {
        WildcardNode<T>? longest = null;
        WildcardNode<T> node = this;
        while (node._children is not null)
        {
            int dot = host.LastIndexOf('.');
            // No dot: the rest is one label, which a wildcard must keep to stand for.
            if (dot <= 0 || node.Below(host[(dot + 1)..]) is not { } child) break;
            node = child;
            host = host[..dot];
            if (node.Routes is not null) longest = node;
        }
        return longest;
    }

    private WildcardNode<T>? Below(ReadOnlySpan<char> label)
    {
        if (_onlyLabel is not null) return label.Equals(_onlyLabel, StringComparison.OrdinalIgnoreCase) ? _onlyChild : null;
        return _lookup.TryGetValue(label, out WildcardNode<T>? child) ? child : null;
    }

    private WildcardNode<T> Child(ReadOnlySpan<char> label)
    {
        if (_children is null)
        {
            _children = new Dictionary<string, WildcardNode<T>>(StringComparer.OrdinalIgnoreCase);
            _lookup = _children.GetAlternateLookup<ReadOnlySpan<char>>();
        }
        if (!_lookup.TryGetValue(label, out WildcardNode<T>? child)) _children.Add(label.ToString(), child = new WildcardNode<T>());
        return child;
    }
}
