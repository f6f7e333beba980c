namespace Gateway.DataPlane.Runtime;

/// <summary>
/// What survives applies: known by a stable id, referred to by the snapshots that were published and not yet released. The registry
/// in server/ counts and releases; what is new belongs to its candidate alone until that is published.
/// </summary>
internal abstract class SharedState
{
    /// <summary>
    /// 0, or the number of the one candidate whose own it is while that is tried: what its requests do to it must not turn live ones away.
    /// </summary>
    public ushort Trial { get; init; }

    /// <summary>Published snapshots that refer to it. Read and written under the registry's lock.</summary>
    internal int References { get; set; }

    /// <summary>It has been live and is no more. Written under the registry's lock.</summary>
    internal bool Released { get; set; }

    /// <summary>Still used although no snapshot refers to it, by an upgraded connection for example.</summary>
    internal virtual bool InUse => false;

    /// <summary>Nothing refers to it and nothing will: called once, outside the registry's lock.</summary>
    internal virtual void Retire()
    {
    }
}
