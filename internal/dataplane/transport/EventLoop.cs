using System.Collections.Concurrent;
using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using Microsoft.Extensions.Logging;
using Microsoft.Win32.SafeHandles;

namespace Gateway.DataPlane.Transport;

/// <summary>
/// One thread that waits for the sockets given to it and runs whoever is interested, and nothing else: what it runs must never block.
/// 1. wait for events  2. tell the sinks  3. run what other threads posted  4. fire what is due  5. once a second, sweep the sockets.
/// A connection stays on one loop for life; that affinity is what saves the hand-overs that make a stock .NET proxy cost double.
/// </summary>
internal sealed unsafe partial class EventLoop
{
    private const int EventsPerWait = 256;
    private const int SweepMilliseconds = 1000;
    private const uint WakeSlot = 0;

    [ThreadStatic]
    private static EventLoop? _current;

    private readonly ILogger _logger;
    private readonly Thread _thread;
    private int _started;
    private readonly int _epoll;
    private readonly int _wake;
    // Never closed by hand: who posts may be about to write to it, and its number would be another file's by then. Goes with the loop object.
    private readonly SafeFileHandle _wakeOwner;
    private readonly Lock _afterEnd = new();
    private readonly ConcurrentQueue<(Action<object?> Work, object? State)> _posted = new();
    private readonly Stack<int> _freeSlots = new();
    private LoopSocket?[] _sockets = new LoopSocket?[256];
    private int _usedSlots = 1;
    private uint _generation;
    private int _wakeSignalled;
    private volatile bool _stopping;
    private volatile bool _ended;
    private long _busySince;

    public EventLoop(string name, ILogger logger, int index = 0)
    {
        Index = index;
        Name = name;
        _logger = logger;
        _epoll = Libc.EpollCreate(Libc.CloExec);
        _wake = Libc.EventFd(0, Libc.NonBlockCloExec);
        if (_epoll < 0 || _wake < 0) throw new InvalidOperationException($"epoll is not available (errno {Libc.Errno})");
        _wakeOwner = new SafeFileHandle(_wake, ownsHandle: true);
        _ = Libc.EpollControl(_epoll, Libc.EpollCtlAdd, _wake, Libc.EpollIn | Libc.EpollEdge, WakeSlot);
        NowMilliseconds = Environment.TickCount64;
        _thread = new Thread(Run) { IsBackground = true, Name = name };
    }

    /// <summary>The loop whose thread this is, or null.</summary>
    public static EventLoop? Current => _current;

    public string Name { get; }

    /// <summary>Its place among the loops of its transport.</summary>
    public int Index { get; }

    /// <summary>What is due on the loop. On its thread only.</summary>
    public LoopTimers Timers { get; } = new(Environment.TickCount64);

    /// <summary>Memory for what Kestrel builds upon the loop's connections.</summary>
    public BlockPool Blocks { get; } = new();

    /// <summary>The loop's clock: <see cref="Environment.TickCount64"/> as of the last wait.</summary>
    public long NowMilliseconds { get; private set; }

    /// <summary>Sockets registered now. Exact on the loop's thread, close elsewhere.</summary>
    public int OpenSockets => _usedSlots - 1 - _freeSlots.Count;

    /// <summary>When the loop began what it is doing now (<see cref="Environment.TickCount64"/>), or 0 while it waits; for a watchdog on another thread.</summary>
    public long BusySince => Volatile.Read(ref _busySince);

    public void Start() => EnsureStarted();

    /// <summary>Starts the thread once. Thread safe: several listeners may be bound at the same time.</summary>
    public void EnsureStarted()
    {
        if (Interlocked.Exchange(ref _started, 1) == 0) _thread.Start();
    }

    /// <summary>
    /// Ends the thread after what was posted so far; the sinks of sockets still registered are told, and the sockets closed. What is posted
    /// from then on runs on the thread pool, one after another, so that nobody waits in vain; sockets can no longer be added.
    /// </summary>
    public void Stop()
    {
        // Twice would close a descriptor that is somebody else's by then.
        if (_stopping) return;
        _stopping = true;
        if (Interlocked.Exchange(ref _started, 1) == 0)
        {
            End();
            return;
        }
        Wake();
        if (Current != this) _thread.Join();
    }

    /// <summary>Registers a socket, once, for reading and writing, edge-triggered. On the loop's thread only. The descriptor is the loop's from here on.</summary>
    /// <exception cref="EventLoopException">The system, or a loop that has ended, refuses; the descriptor is closed.</exception>
    public LoopSocket Add(int fd, SocketEvents sink, uint events = Libc.EpollIn | Libc.EpollOut | Libc.EpollRdHup | Libc.EpollEdge)
    {
        int slot = _freeSlots.Count > 0 ? _freeSlots.Pop() : _usedSlots++;
        if (slot >= _sockets.Length) Array.Resize(ref _sockets, _sockets.Length * 2);
        var socket = new LoopSocket(this, fd, slot, ++_generation, sink);
        _sockets[slot] = socket;
        LeakTracker.Running?.Taken(socket);
        try
        {
            Register(socket, events);
        }
        catch
        {
            Close(socket);
            throw;
        }
        return socket;
    }

    /// <summary>Registers again a socket that <see cref="Silence"/> took out.</summary>
    /// <exception cref="EventLoopException">The system refuses; the socket stays as it was.</exception>
    public void Register(LoopSocket socket, uint events)
    {
        // Unregistered it would never hear of anything. The system refuses when it is out of watches or memory.
        if (_ended) throw new EventLoopException(Libc.Ecanceled);
        if (Libc.EpollControl(_epoll, Libc.EpollCtlAdd, socket.Fd, events, (uint)socket.Slot | ((ulong)socket.Generation << 32)) != 0) throw new EventLoopException(Libc.Errno);
    }

    /// <summary>No events for this socket until it is registered again; it stays open and is still swept.</summary>
    public void Silence(LoopSocket socket)
    {
        _ = Libc.EpollControl(_epoll, Libc.EpollCtlDel, socket.Fd, 0, 0);
    }

    /// <summary>Closes and forgets the socket. On the loop's thread only; closing twice is harmless.</summary>
    public void Close(LoopSocket socket)
    {
        if (socket.Fd < 0) return;
        LeakTracker.Running?.GivenBack(socket);
        _ = Libc.Close(socket.Fd);
        socket.Fd = -1;
        _sockets[socket.Slot] = null;
        _freeSlots.Push(socket.Slot);
    }

    /// <summary>Runs work on the loop's thread, soon, in the order of posting. From any thread.</summary>
    public void Post(Action<object?> work, object? state)
    {
        _posted.Enqueue((work, state));
        if (_ended) ThreadPool.UnsafeQueueUserWorkItem(static loop => loop.RunAfterEnd(), this, preferLocal: false);
        else if (Current != this && Interlocked.Exchange(ref _wakeSignalled, 1) == 0) Wake();
    }

    /// <summary><c>await loop.Switch()</c> continues on the loop's thread; at once when already there.</summary>
    public SwitchAwaitable Switch() => new(this);

    /// <summary><c>await loop.Yield()</c> lets the loop see to its other sockets first. On its thread only.</summary>
    public YieldAwaitable Yield() => new(this);

    private void Wake()
    {
        ulong one = 1;
        _ = Libc.Write(_wake, &one, sizeof(ulong));
        GC.KeepAlive(this);
    }

    private void Run()
    {
        _current = this;
        LoopBuffers.Attach();
        byte* events = (byte*)NativeMemory.Alloc(EventsPerWait, (nuint)Libc.EpollEventSize);
        long nextSweep = NowMilliseconds + SweepMilliseconds;
        while (!_stopping)
        {
            Volatile.Write(ref _busySince, 0);
            int count = Libc.EpollWait(_epoll, events, EventsPerWait, _posted.IsEmpty ? Timers.WaitFor(NowMilliseconds, SweepMilliseconds) : 0);
            NowMilliseconds = Environment.TickCount64;
            Volatile.Write(ref _busySince, NowMilliseconds);
            bool looksAhead = CacheAhead.IsSupported && OpenSockets > CacheAhead.FewSockets;
            for (int i = 0; i < count; i++)
            {
                if (looksAhead) LookAhead(events, i, count);
                byte* e = events + (i * Libc.EpollEventSize);
                Dispatch(Libc.EventsOf(e), Libc.DataOf(e));
            }
            RunPosted();
            Fire();
            if (NowMilliseconds >= nextSweep)
            {
                nextSweep = NowMilliseconds + SweepMilliseconds;
                Sweep();
                LoopBuffers.Trim();
                SplicePipe.Trim();
            }
        }
        RunPosted();
        for (int i = 1; i < _usedSlots; i++)
        {
            if (_sockets[i] is { } left) Lose(left, null);
        }
        Volatile.Write(ref _busySince, 0);
        NativeMemory.Free(events);
        SplicePipe.CloseKept();
        _current = null;
        End();
    }

    private void End()
    {
        _ = Libc.Close(_epoll);
        _ended = true;
        // Who has posted before it could see that the loop has ended must find the work taken, as in Dispatch.
        Interlocked.MemoryBarrier();
        RunAfterEnd();
    }

    // As the loop's thread: nothing else is, any more.
    private void RunAfterEnd()
    {
        lock (_afterEnd)
        {
            EventLoop? previous = _current;
            _current = this;
            RunPosted();
            _current = previous;
        }
    }

    /// <summary>Closes a socket whose sink does not expect it.</summary>
    private void Lose(LoopSocket socket, Exception? fault)
    {
        try
        {
            if (fault is not null) SinkFailed(_logger, fault, Name);
            socket.Sink.OnLost(fault);
        }
        catch (Exception second)
        {
            SinkFailed(_logger, second, Name);
        }
        Close(socket);
    }

    private void Dispatch(uint events, ulong data)
    {
        uint slot = (uint)data;
        if (slot == WakeSlot)
        {
            ulong drained;
            _ = Libc.Read(_wake, &drained, sizeof(ulong));
            // A full fence before the queue is read: a poster that saw 1 here must find its work taken.
            Interlocked.Exchange(ref _wakeSignalled, 0);
            return;
        }
        LoopSocket? socket = _sockets[slot];
        // An earlier event of this batch may have closed it, and its slot may have a new owner.
        if (socket is null || socket.Generation != (uint)(data >> 32)) return;
        try
        {
            socket.Sink.OnEvents(events);
        }
        catch (Exception fault)
        {
            Lose(socket, fault);
        }
    }

    private void LookAhead(byte* events, int i, int count)
    {
        if (i + CacheAhead.Far < count && SocketOf(events, i + CacheAhead.Far) is { } far) CacheAhead.Fetch(far, 1);
        if (i + CacheAhead.Near < count && SocketOf(events, i + CacheAhead.Near) is { } near)
        {
            CacheAhead.Fetch(near.Sink, 3);
            CacheAhead.Fetch(near.Touched, 3);
        }
        if (i + 1 >= count || SocketOf(events, i + 1) is not { } next) return;
        foreach (object touched in next.Touched) CacheAhead.Fetch(touched, 4);
    }

    private LoopSocket? SocketOf(byte* events, int i) => _sockets[(uint)Libc.DataOf(events + (i * Libc.EpollEventSize))];

    private void Fire()
    {
        try
        {
            Timers.Advance(NowMilliseconds);
        }
        catch (Exception fault)
        {
            PostedFailed(_logger, fault, Name);
        }
    }

    private void RunPosted()
    {
        // Only what is there now: work that posts more work must not keep the sockets waiting.
        for (int left = _posted.Count; left > 0 && _posted.TryDequeue(out (Action<object?> Work, object? State) item); left--)
        {
            try
            {
                item.Work(item.State);
            }
            catch (Exception fault)
            {
                PostedFailed(_logger, fault, Name);
            }
        }
    }

    private void Sweep()
    {
        for (int i = 1; i < _usedSlots; i++)
        {
            if (_sockets[i] is not { } socket) continue;
            try
            {
                socket.Sink.OnSweep(NowMilliseconds);
            }
            catch (Exception fault)
            {
                Lose(socket, fault);
            }
        }
    }

    [LoggerMessage(2001, LogLevel.Error, "A connection on {Loop} failed in its event handler and was closed")]
    private static partial void SinkFailed(ILogger logger, Exception fault, string loop);

    [LoggerMessage(2002, LogLevel.Error, "Work posted to {Loop} failed")]
    private static partial void PostedFailed(ILogger logger, Exception fault, string loop);

    internal readonly struct SwitchAwaitable(EventLoop loop) : ICriticalNotifyCompletion
    {
        public SwitchAwaitable GetAwaiter() => this;

        public bool IsCompleted => Current == loop;

        public void GetResult()
        {
        }

        public void OnCompleted(Action continuation) => UnsafeOnCompleted(continuation);

        public void UnsafeOnCompleted(Action continuation) => loop.Post(static action => ((Action)action!)(), continuation);
    }

    internal readonly struct YieldAwaitable(EventLoop loop) : ICriticalNotifyCompletion
    {
        public YieldAwaitable GetAwaiter() => this;

        public bool IsCompleted => false;

        public void GetResult()
        {
        }

        public void OnCompleted(Action continuation) => UnsafeOnCompleted(continuation);

        public void UnsafeOnCompleted(Action continuation) => loop.Post(static action => ((Action)action!)(), continuation);
    }
}
