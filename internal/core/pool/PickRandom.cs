using System.Diagnostics;
using System.Numerics;

namespace Gateway.Core.Pool;

/// <summary>The randomness of balancers. Fast, not secret. Thread safe where its balancer is used by several threads.</summary>
public abstract class PickRandom
{
    /// <summary>One generator per thread, each seeded from the clock.</summary>
    public static PickRandom PerThread { get; } = new PerThreadRandom();

    /// <summary>A repeatable sequence, for tests. Not thread safe.</summary>
    public static PickRandom Seeded(ulong seed) => new SeededRandom(seed);

    public abstract ulong Next();

    /// <summary>Uniform in 0..<paramref name="count"/>-1, but for a bias below count / 2^64.</summary>
    public ulong Below(ulong count) => Math.BigMul(Next(), count, out _);

    // xorshift64* (Vigna 2016): the multiplication mends the weak low bits of plain xorshift.
    private static ulong Step(ref ulong state)
    {
        state ^= state >> 12;
        state ^= state << 25;
        state ^= state >> 27;
        return state * 0x2545F4914F6CDD1D;
    }

    // splitmix64's finish: near seeds give unrelated states. Never zero, where xorshift would stay.
    private static ulong Mix(ulong seed)
    {
        seed = (seed ^ (seed >> 30)) * 0xBF58476D1CE4E5B9;
        seed = (seed ^ (seed >> 27)) * 0x94D049BB133111EB;
        return (seed ^ (seed >> 31)) | 1;
    }

    private sealed class SeededRandom(ulong seed) : PickRandom
    {
        private ulong _state = Mix(seed);

        public override ulong Next() => Step(ref _state);
    }

    private sealed class PerThreadRandom : PickRandom
    {
        [ThreadStatic]
        private static ulong _state;

        public override ulong Next()
        {
            if (_state == 0) _state = Mix((ulong)Stopwatch.GetTimestamp() ^ BitOperations.RotateLeft((ulong)Environment.CurrentManagedThreadId, 48));
            return Step(ref _state);
        }
    }
}
