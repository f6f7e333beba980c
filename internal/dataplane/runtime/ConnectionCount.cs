using System.Net;

namespace Gateway.DataPlane.Runtime;

/// <summary>The open connections of a listener, and of each client where that is limited, by <see cref="AddressRate.KeyOf"/>. Survives the listener's servers. Thread safe.</summary>
internal sealed class ConnectionCount
{
    private readonly Dictionary<ulong, int> _byAddress = [];
    private int _open;
    private long _refusedByLimit, _refusedByAddress, _refusedByRate, _refusedByProcess;

    public int Open => Volatile.Read(ref _open);

    /// <summary>Connections closed at once because of a limit, since the start.</summary>
    public long Refused => RefusedByLimit + RefusedByAddress + RefusedByRate + RefusedByProcess;

    /// <summary>Those of them that met the listener's limit.</summary>
    public long RefusedByLimit => Volatile.Read(ref _refusedByLimit);

    /// <summary>Those of them that met the limit of their address.</summary>
    public long RefusedByAddress => Volatile.Read(ref _refusedByAddress);

    /// <summary>Those of them that came too soon after others of their address.</summary>
    public long RefusedByRate => Volatile.Read(ref _refusedByRate);

    public void RefuseByRate() => Interlocked.Increment(ref _refusedByRate);

    /// <summary>Those of them that the process had no descriptors for.</summary>
    public long RefusedByProcess => Volatile.Read(ref _refusedByProcess);

    /// <summary>Counts a connection in, unless the limit (0: none) is reached. True must be followed by one <see cref="Leave"/> or <see cref="LeaveForWantOfDescriptors"/>.</summary>
    public bool TryEnter(int limit)
    {
        int open = Interlocked.Increment(ref _open);
        if (limit == 0 || open <= limit) return true;
        Leave();
        Interlocked.Increment(ref _refusedByLimit);
        return false;
    }

    public void Leave() => Interlocked.Decrement(ref _open);

    /// <summary><see cref="Leave"/> for a connection that the process has no descriptors for.</summary>
    public void LeaveForWantOfDescriptors()
    {
        Interlocked.Increment(ref _refusedByProcess);
        Leave();
    }

    /// <summary>Counts a connection that has entered for its client's address too. True must be followed by one <see cref="LeaveAddress"/> with the same one.</summary>
    public bool TryEnterAddress(IPAddress address, int limit)
    {
        lock (_byAddress)
        {
            ref int held = ref System.Runtime.InteropServices.CollectionsMarshal.GetValueRefOrAddDefault(_byAddress, AddressRate.KeyOf(address), out _);
            if (held < limit)
            {
                held++;
                return true;
            }
        }
        Interlocked.Increment(ref _refusedByAddress);
        return false;
    }

    public void LeaveAddress(IPAddress address)
    {
        lock (_byAddress)
        {
            ulong key = AddressRate.KeyOf(address);
            if (--System.Runtime.InteropServices.CollectionsMarshal.GetValueRefOrNullRef(_byAddress, key) == 0) _byAddress.Remove(key);
        }
    }
}
