using System.Net;
using System.Net.Sockets;

namespace Gateway.ControlPlane.Admin;

/// <summary>
/// Counts failed logins by client address and locks an address out that has too many: what is wrong is refused without an answer that says so,
/// and no more than <see cref="MostChecks"/> tokens a second are looked at. The right token is let in all the same: on one machine, or behind
/// one translated address, it is not who holds the token that guesses, and whoever wants to end a rollout cannot wait. Thread safe.
/// </summary>
internal sealed class LoginGuard(TimeProvider time)
{
    /// <summary>Failures within <see cref="Window"/> that are answered 401; the next attempt is locked out. Ours: a mistyped script stays usable, a guesser does not.</summary>
    public const int MostFailures = 10;

    public static readonly TimeSpan Window = TimeSpan.FromMinutes(1);
    public static readonly TimeSpan LockOut = TimeSpan.FromSeconds(30);

    /// <summary>
    /// Tokens of an address that are looked at within a second while it is locked out. The shortest token that is taken has 16 characters: in a
    /// year this tries 2^32 of them.
    /// </summary>
    public const int MostChecks = 100;

    /// <summary>Addresses remembered; when there are more, the one that failed longest ago is forgotten.</summary>
    private const int MostAddresses = 10_000;

    private sealed class Failures
    {
        public int Count;
        public DateTimeOffset Since;
        public DateTimeOffset LockedUntil;
        public DateTimeOffset ChecksSince;
        public int Checks;
    }

    private readonly Lock _gate = new();
    private readonly Dictionary<IPAddress, Failures> _byAddress = [];

    internal int Remembered
    {
        get
        {
            lock (_gate) return _byAddress.Count;
        }
    }

    /// <summary>How much longer the address is locked out; zero when it is not.</summary>
    public TimeSpan LockedFor(IPAddress? address)
    {
        lock (_gate)
        {
            if (!_byAddress.TryGetValue(Key(address), out Failures? failures)) return TimeSpan.Zero;
            TimeSpan left = failures.LockedUntil - time.GetUtcNow();
            return left > TimeSpan.Zero ? left : TimeSpan.Zero;
        }
    }

    /// <summary>Whether a token of an address that is locked out is to be looked at.</summary>
    public bool MayCheck(IPAddress? address)
    {
        DateTimeOffset now = time.GetUtcNow();
        lock (_gate)
        {
            if (!_byAddress.TryGetValue(Key(address), out Failures? failures)) return true;
            if (now - failures.ChecksSince >= TimeSpan.FromSeconds(1)) (failures.Checks, failures.ChecksSince) = (0, now);
            return ++failures.Checks <= MostChecks;
        }
    }

    /// <summary>True when this failure locks the address out.</summary>
    public bool Failed(IPAddress? address)
    {
        DateTimeOffset now = time.GetUtcNow();
        lock (_gate)
        {
            IPAddress key = Key(address);
            if (!_byAddress.TryGetValue(key, out Failures? failures))
            {
                if (_byAddress.Count >= MostAddresses) ForgetOldest_NeedsLock(now);
                _byAddress.Add(key, failures = new Failures { Since = now });
            }
            if (now - failures.Since >= Window) (failures.Count, failures.Since) = (0, now);
            if (++failures.Count < MostFailures) return false;
            (failures.Count, failures.Since, failures.LockedUntil) = (0, now, now + LockOut);
            return true;
        }
    }

    public void Succeeded(IPAddress? address)
    {
        lock (_gate) _ = _byAddress.Remove(Key(address));
    }

    private void ForgetOldest_NeedsLock(DateTimeOffset now)
    {
        IPAddress? oldest = null;
        DateTimeOffset since = DateTimeOffset.MaxValue;
        List<IPAddress> stale = [];
        foreach ((IPAddress address, Failures failures) in _byAddress)
        {
            if (now - failures.Since >= Window && failures.LockedUntil <= now) stale.Add(address);
            else if (failures.Since < since) (oldest, since) = (address, failures.Since);
        }
        foreach (IPAddress address in stale) _ = _byAddress.Remove(address);
        if (stale.Count == 0 && oldest is not null) _ = _byAddress.Remove(oldest);
    }

    // Whoever has one IPv6 address usually has its whole /64.
    private static IPAddress Key(IPAddress? address)
    {
        if (address is null) return IPAddress.None;
        if (address.IsIPv4MappedToIPv6) return address.MapToIPv4();
        if (address.AddressFamily != AddressFamily.InterNetworkV6 || IPAddress.IsLoopback(address)) return address;
        Span<byte> bytes = stackalloc byte[16];
        _ = address.TryWriteBytes(bytes, out _);
        bytes[8..].Clear();
        return new IPAddress(bytes);
    }
}
