using System.Collections.Concurrent;
using System.Diagnostics;

namespace Gateway.DataPlane.Transport;

/// <summary>
/// Remembers what was taken and has not been given back, with the place where it was taken: sockets of the loops and their buffers. For
/// debug builds, and for any build with the AppContext switch <c>Gateway.TrackLeaks</c>; otherwise there is none, and what calls it
/// compiles to nothing. Thread safe.
/// </summary>
internal sealed class LeakTracker
{
    private readonly ConcurrentDictionary<object, StackTrace> _held = new(ReferenceEqualityComparer.Instance);

    /// <summary>Null unless leaks are tracked.</summary>
    public static LeakTracker? Running { get; } = AppContext.TryGetSwitch("Gateway.TrackLeaks", out bool on) ? (on ? new() : null) : OfBuild();

    /// <summary>How many things are out.</summary>
    public int Held => _held.Count;

    public void Taken(object thing) => _held[thing] = new StackTrace(skipFrames: 1, fNeedFileInfo: true);

    /// <exception cref="InvalidOperationException">It was not out: somebody gives it back twice, and two owners would share it.</exception>
    public void GivenBack(object thing)
    {
        if (!_held.TryRemove(thing, out _)) throw new InvalidOperationException($"A {thing.GetType().Name} is given back that is not out.");
    }

    /// <summary>Each place from which something is still out, and how many things.</summary>
    public IReadOnlyList<string> Leaks() =>
        [.. _held.GroupBy(static held => $"{held.Key.GetType().Name} taken\n{held.Value}").Select(static place => $"{place.Count()} × {place.Key}")];

    private static LeakTracker? OfBuild()
    {
#if DEBUG
        return new LeakTracker();
#else
        return null;
#endif
    }
}
