namespace Gateway.DataPlane.Server;

/// <summary>Small numbers for things that come and go. Needs the owner's lock.</summary>
internal sealed class SlotPool
{
    private readonly Stack<int> _free = [];

    /// <summary>All slots given are below it.</summary>
    public int Bound { get; private set; }

    public int Take() => _free.TryPop(out int slot) ? slot : Bound++;

    public void Return(int slot) => _free.Push(slot);
}
