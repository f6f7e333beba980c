using Microsoft.Extensions.Logging;

namespace Gateway.DataPlane.Transport;

/// <summary>
/// A thread that sees when a loop does not turn: something on it blocks or computes, and every connection of the loop waits. Says so while
/// it lasts, counts each such stall once, and says how long it was. A pause of the whole process (garbage collection, no processor) looks
/// the same, and is the same to the connections.
/// </summary>
internal sealed partial class LoopWatchdog(EventLoop[] loops, ILogger logger)
{
    /// <summary>Nothing that belongs on a loop takes a fiftieth of it, and a client begins to notice twice of it.</summary>
    public const long StallMilliseconds = 50;

    // A loop that stalls all the time is told of once a second.
    private const long LogMilliseconds = 1000;

    // The first requests wait while their code is compiled: counted, but no matter for whoever starts a gateway and reads its log.
    private const long StartMilliseconds = 10_000;

    private readonly Watched[] _watched = [.. loops.Select(static loop => new Watched(loop))];
    private readonly ManualResetEvent _stop = new(false);
    private Thread? _thread;
    private long _startedAt = long.MinValue / 2;

    private sealed class Watched(EventLoop loop)
    {
        public readonly EventLoop Loop = loop;
        public long Stalls;

        /// <summary>When the stall under way began; 0: none is.</summary>
        public long StalledSince;
        public long LastLogged = long.MinValue / 2;
        public bool Logged;
    }

    /// <summary>Starts the thread once. To be called by one thread at a time.</summary>
    public void EnsureStarted()
    {
        lock (_watched)
        {
            if (_thread is not null) return;
            _startedAt = Environment.TickCount64;
            _thread = new Thread(Run) { IsBackground = true, Name = "loop-watchdog" };
            _thread.Start();
        }
    }

    public void Stop()
    {
        lock (_watched)
        {
            _stop.Set();
            _thread?.Join();
        }
    }

    /// <summary>Each loop and how often it has stalled.</summary>
    public IEnumerable<(string Loop, long Stalls)> Stalls() => _watched.Select(static w => (w.Loop.Name, Volatile.Read(ref w.Stalls)));

    /// <summary>One look at all loops. By the watchdog's thread, or a test in its place.</summary>
    /// <param name="nowMilliseconds">As <see cref="Environment.TickCount64"/>.</param>
    internal void Look(long nowMilliseconds)
    {
        LogLevel level = nowMilliseconds - _startedAt < StartMilliseconds ? LogLevel.Debug : LogLevel.Warning;
        foreach (Watched watched in _watched)
        {
            long busySince = watched.Loop.BusySince;
            if (watched.StalledSince != 0 && busySince != watched.StalledSince)
            {
                if (watched.Logged) Turned(logger, level, watched.Loop.Name, nowMilliseconds - watched.StalledSince);
                (watched.StalledSince, watched.Logged) = (0, false);
            }
            if (watched.StalledSince != 0 || busySince == 0 || nowMilliseconds - busySince < StallMilliseconds) continue;
            watched.StalledSince = busySince;
            Volatile.Write(ref watched.Stalls, watched.Stalls + 1);
            if (nowMilliseconds - watched.LastLogged < LogMilliseconds) continue;
            (watched.LastLogged, watched.Logged) = (nowMilliseconds, true);
            Stalled(logger, level, watched.Loop.Name, nowMilliseconds - busySince, watched.Stalls);
        }
    }

    private void Run()
    {
        while (!_stop.WaitOne((int)StallMilliseconds)) Look(Environment.TickCount64);
    }

    [LoggerMessage(EventId = 2004, Message = "{Loop} has not turned for {Milliseconds} ms: its connections wait ({Stalls} such stalls so far)")]
    private static partial void Stalled(ILogger logger, LogLevel level, string loop, long milliseconds, long stalls);

    [LoggerMessage(EventId = 2005, Message = "{Loop} turns again, after {Milliseconds} ms at most")]
    private static partial void Turned(ILogger logger, LogLevel level, string loop, long milliseconds);
}
