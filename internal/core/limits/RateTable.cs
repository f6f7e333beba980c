namespace Gateway.Core.Limits;

/// <summary>How often something may happen.</summary>
/// <param name="Interval">Ticks from one to the next in the long run; at least 1.</param>
/// <param name="Burst">How many may come at once after a rest; at least 1.</param>
public readonly record struct Rate(long Interval, int Burst)
{
    /// <param name="perSecond">At least 1.</param>
    /// <param name="burst">At least 1.</param>
    /// <param name="ticksPerSecond">Of the clock that <see cref="RateTable.TryTake"/> is given.</param>
    public static Rate PerSecond(int perSecond, int burst, long ticksPerSecond) => new(Math.Max(1, ticksPerSecond / perSecond), burst);
}

/// <summary>
/// A token bucket for each of many keys in a table of fixed size: a bucket is the one time at which it would be full again (the generic cell
/// rate algorithm, ITU-T I.371), a key is 64 bits of a seeded hash. Where there is no room, the fullest bucket of the key's place gives way,
/// so that who has used up its share is not forgotten for those who come once. Thread safe; takes no lock and allocates nothing.
/// </summary>
/// <remarks>
/// Two threads that enter a key at the same instant may give it two buckets, of which one is used from then on: at worst it has one burst
/// more. Two keys with the same 64 bits share a bucket.
/// </remarks>
public sealed class RateTable
{
    // A cache line of keys.
    private const int Ways = 8;

    private readonly ulong[] _keys;
    private readonly long[] _fullAt;
    private readonly ulong _seed;
    private readonly int _places;

    /// <param name="capacity">Keys that are remembered; a power of two, at least 8. Takes 16 bytes each.</param>
    /// <param name="seed">Not known to those whose keys these are, or they could choose keys that push out each other.</param>
    public RateTable(int capacity, ulong seed)
    {
        if (capacity < Ways || !int.IsPow2(capacity)) throw new ArgumentOutOfRangeException(nameof(capacity), capacity, "A power of two from 8.");
        _keys = new ulong[capacity];
        _fullAt = new long[capacity];
        _seed = seed;
        _places = capacity / Ways;
    }

    /// <summary>Takes a token of the key's bucket.</summary>
    /// <param name="key">Whose bucket.</param>
    /// <param name="now">The present time in ticks.</param>
    /// <param name="rate">The bucket's; may differ from call to call.</param>
    /// <param name="wait">Ticks until there is a token again, when there is none.</param>
    public bool TryTake(ulong key, long now, in Rate rate, out long wait)
    {
        ulong hash = Mix(key ^ _seed);
        int place = (int)(hash % (ulong)_places) * Ways;
        // 0 is for nobody.
        hash |= 1UL << 63;
        int fullest = place;
        for (int i = place; i < place + Ways; i++)
        {
            if (Volatile.Read(ref _keys[i]) == hash) return TryTake(ref _fullAt[i], now, rate, out wait);
            if (Volatile.Read(ref _fullAt[i]) < Volatile.Read(ref _fullAt[fullest])) fullest = i;
        }
        Volatile.Write(ref _fullAt[fullest], now + rate.Interval);
        Volatile.Write(ref _keys[fullest], hash);
        wait = 0;
        return true;
    }

    private static bool TryTake(ref long fullAt, long now, in Rate rate, out long wait)
    {
        long seen = Volatile.Read(ref fullAt);
        while (true)
        {
            long start = Math.Max(seen, now);
            wait = start - now - ((rate.Burst - 1) * rate.Interval);
            if (wait > 0) return false;
            long was = Interlocked.CompareExchange(ref fullAt, start + rate.Interval, seen);
            if (was == seen)
            {
                wait = 0;
                return true;
            }
            seen = was;
        }
    }

    // splitmix64's finish.
    private static ulong Mix(ulong key)
    {
        key = (key ^ (key >> 30)) * 0xBF58476D1CE4E5B9;
        key = (key ^ (key >> 27)) * 0x94D049BB133111EB;
        return key ^ (key >> 31);
    }
}
