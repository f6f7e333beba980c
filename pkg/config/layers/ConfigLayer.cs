namespace Gateway.Config;

/// <summary>How a document goes together with those of other sources.</summary>
public enum MergeMode
{
    [Doc("This document is the whole configuration.")] Replace,
    [Doc("This document is laid over what the sources of lower priority brought, object by object by name.")] ByName,
}

/// <summary>A document that is to be merged with others.</summary>
/// <param name="Name">For messages: <c>admin</c>, <c>file /etc/gateway.json</c>.</param>
/// <param name="Json">The document; one in another language is converted first.</param>
public sealed record ConfigLayer(string Name, ReadOnlyMemory<byte> Json)
{
    /// <summary>As in <see cref="ReadOptions.Position"/>, for this document.</summary>
    public Func<int, (int Line, int Column)>? Position { get; init; }
}
