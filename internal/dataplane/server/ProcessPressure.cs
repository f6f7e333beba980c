using Gateway.Config;
using Gateway.Core.Limits;
using Gateway.DataPlane.Runtime;
using Gateway.DataPlane.Transport;
using Microsoft.Extensions.Logging;

namespace Gateway.DataPlane.Server;

/// <summary>
/// Watches how hard pressed the whole process is: by memory, as far as it may go (a container's limit, or the machine's), and by how long
/// work has to wait for a thread of the pool or for its event loop. Looks ten times a second, at memory once. Where memory alone turns
/// all requests away, no connections are accepted either, and what memory can be given back is.
/// </summary>
internal sealed class ProcessPressure(LoadShedder shedder, AcceptGate gate, EventLoop[] loops, TimeProvider time, ILogger logger)
{
    private static readonly TimeSpan Interval = TimeSpan.FromMilliseconds(100);

    // All requests are turned away meanwhile, so that the pauses hurt nobody; and without requests nothing else would collect.
    private static readonly TimeSpan CollectInterval = TimeSpan.FromSeconds(10);

    // The least delay of a second: one that is over when it is noticed, as that of a collection, is no lasting one (as in CoDel, RFC 8289).
    private readonly double[] _delays = new double[10];
    private readonly CancellationTokenSource _stop = new();
    private ProcessOverloadConfig _settings = new();
    private Task? _running;
    private int _next;
    private bool _told;
    private long _collectedAt;

    /// <summary>Gives back what memory can be given back.</summary>
    internal Action Collect { get; init; } = static () => GC.Collect(GC.MaxGeneration, GCCollectionMode.Aggressive, blocking: true, compacting: true);

    /// <summary>Takes the settings of the snapshot that has just been published. To be called by one at a time.</summary>
    public void Follow(ProcessOverloadConfig settings)
    {
        Volatile.Write(ref _settings, settings);
        _running ??= RunAsync();
    }

    public async Task StopAsync()
    {
        await _stop.CancelAsync();
        if (_running is not null) await _running;
    }

    /// <summary>One look.</summary>
    /// <param name="delay">How much later than it should have this look comes, or a loop has turned, in milliseconds.</param>
    /// <param name="memoryPercent">Of what the process may use.</param>
    internal void Look(double delay, double memoryPercent)
    {
        ProcessOverloadConfig settings = Volatile.Read(ref _settings);
        _delays[_next++ % _delays.Length] = delay;
        double pressure = 0;
        if (settings.MemoryPercent > 0) pressure = Shedding.Pressure(memoryPercent, settings.MemoryPercent, (settings.MemoryPercent + 100) / 2.0);
        bool isFull = pressure >= 1;
        double limit = settings.QueueDelay.TotalMilliseconds;
        if (limit > 0) pressure = Math.Max(pressure, Shedding.Pressure(_delays.Min(), limit, limit * 5));
        // Before the gate: who is let in again is not to be turned away after all.
        shedder.Pressure = pressure;
        LookAtGate(isFull, memoryPercent);
        if (pressure > 0 == _told) return;
        _told = pressure > 0;
        if (_told) ServerLog.Overloaded(logger, memoryPercent, _delays.Min());
        else ServerLog.NotOverloaded(logger);
    }

    private void LookAtGate(bool closed, double memoryPercent)
    {
        if (gate.Set(closed))
        {
            if (closed) ServerLog.AcceptStopped(logger, memoryPercent);
            else ServerLog.AcceptResumed(logger);
            _collectedAt = 0;
        }
        if (!closed || (_collectedAt != 0 && time.GetElapsedTime(_collectedAt) < CollectInterval)) return;
        _collectedAt = time.GetTimestamp();
        Collect();
    }

    private async Task RunAsync()
    {
        try
        {
            double memory = 0;
            while (true)
            {
                // Asked for anew each time: a periodic timer that was late makes up for it at once, and what it then finds is no delay at all,
                // so that there never was one for a second without a break.
                long asked = time.GetTimestamp();
                await Task.Delay(Interval, time, _stop.Token);
                // The timer's work waited for a thread like any other.
                double delay = (time.GetElapsedTime(asked) - Interval).TotalMilliseconds;
                foreach (EventLoop loop in loops)
                {
                    if (loop.BusySince is > 0 and var since) delay = Math.Max(delay, Environment.TickCount64 - since);
                }
                if (_next % _delays.Length == 0) memory = MemoryPercent();
                Look(Math.Max(0, delay), memory);
            }
        }
        catch (OperationCanceledException)
        {
            // Stopped.
        }
    }

    // The limit is the container's where there is one, as the collector sees it; unknown before it has looked.
    private static double MemoryPercent()
    {
        long available = GC.GetGCMemoryInfo().TotalAvailableMemoryBytes;
        return available <= 0 ? 0 : Environment.WorkingSet * 100.0 / available;
    }
}
