using System.Runtime.CompilerServices;

namespace Gateway.Core.Retry;

/// <summary>
/// A retry budget for each client, so that one whose requests fail does not use up what the others may retry. The bound is that of
/// <see cref="RetryBudget"/>, by client. Memory is bounded: clients are kept in sets of four; a fifth in a set takes the place of one that
/// sent nothing for the length of the window, and while there is none such it has no budget, so nothing of it is retried. Thread safe.
/// </summary>
public sealed class ClientBudgets
{
    private const int Ways = 4;
    private const int Buckets = RollingWindow.Buckets + 1;

    [InlineArray(Buckets)]
    private struct Counts
    {
        private uint _first;
    }

    private struct Client
    {
        public ulong Key;
        public long Bucket;
        public Counts Requests;
        public Counts Spent;
    }

    private readonly Client[]?[] _sets;
    private readonly RetryBudgetSettings _settings;
    private readonly long _bucketTicks;

    /// <param name="settings">The bound for each client.</param>
    /// <param name="ticksPerSecond">Of the timestamps.</param>
    /// <param name="clients">How many are kept at most; a power of two, at least 4. 4096 of them are half a megabyte.</param>
    public ClientBudgets(RetryBudgetSettings settings, long ticksPerSecond, int clients = 4096)
    {
        if (clients < Ways || !System.Numerics.BitOperations.IsPow2(clients)) throw new ArgumentOutOfRangeException(nameof(clients), clients, "A power of two, at least 4.");
        _settings = settings;
        _bucketTicks = ticksPerSecond * RetryBudget.WindowSeconds / RollingWindow.Buckets;
        _sets = new Client[]?[clients / Ways];
    }

    public RetryBudgetSettings Settings => _settings;

    /// <summary>Counts a request of the client.</summary>
    /// <param name="key">A hash of the client's key, spread over all 64 bits and not to be guessed from outside.</param>
    /// <param name="now">Timestamp.</param>
    public void Request(ulong key, long now)
    {
        Client[] set = SetOf(key);
        lock (set)
        {
            ref Client client = ref Find_NeedsLock(set, key, now);
            if (!Unsafe.IsNullRef(ref client)) client.Requests[(int)(client.Bucket % Buckets)]++;
        }
    }

    /// <summary>Asks for one attempt more on behalf of the client.</summary>
    public bool TryTake(ulong key, long now)
    {
        Client[] set = SetOf(key);
        lock (set)
        {
            ref Client client = ref Find_NeedsLock(set, key, now);
            if (Unsafe.IsNullRef(ref client)) return false;
            // The oldest bucket is only partly within the window: it counts for what was spent and not for what was asked.
            long requests = Sum(ref client.Requests) - client.Requests[(int)((client.Bucket + 1) % Buckets)];
            long allowed = Math.Max(requests * _settings.Percent / 100, (long)_settings.MinPerSecond * RetryBudget.WindowSeconds);
            if (Sum(ref client.Spent) >= allowed) return false;
            client.Spent[(int)(client.Bucket % Buckets)]++;
            return true;
        }
    }

    /// <summary>An attempt that was granted a moment ago is not made.</summary>
    public void GiveBack(ulong key, long now)
    {
        Client[] set = SetOf(key);
        lock (set)
        {
            ref Client client = ref Find_NeedsLock(set, key, now);
            if (!Unsafe.IsNullRef(ref client) && client.Spent[(int)(client.Bucket % Buckets)] > 0) client.Spent[(int)(client.Bucket % Buckets)]--;
        }
    }

    private Client[] SetOf(ulong key)
    {
        ref Client[]? set = ref _sets[key % (ulong)_sets.Length];
        return Volatile.Read(ref set) ?? Interlocked.CompareExchange(ref set, new Client[Ways], null) ?? set;
    }

    private ref Client Find_NeedsLock(Client[] set, ulong key, long now)
    {
        // The zero key is that of an empty place.
        if (key == 0) key = 1;
        long bucket = now / _bucketTicks;
        ref Client idle = ref Unsafe.NullRef<Client>();
        foreach (ref Client client in set.AsSpan())
        {
            if (client.Key == key)
            {
                Advance(ref client, bucket);
                return ref client;
            }
            if (client.Key == 0 || bucket - client.Bucket >= Buckets) idle = ref client;
        }
        if (Unsafe.IsNullRef(ref idle)) return ref idle;
        idle = new Client { Key = key, Bucket = bucket };
        return ref idle;
    }

    private static void Advance(ref Client client, long bucket)
    {
        if (bucket <= client.Bucket) return;
        for (long b = Math.Max(client.Bucket + 1, bucket - Buckets + 1); b <= bucket; b++)
        {
            client.Requests[(int)(b % Buckets)] = 0;
            client.Spent[(int)(b % Buckets)] = 0;
        }
        client.Bucket = bucket;
    }

    private static long Sum(ref Counts counts)
    {
        long sum = 0;
        foreach (uint n in counts) sum += n;
        return sum;
    }
}
