using Gateway.Core.Limits;

namespace Gateway.DataPlane.Server;

/// <summary>The end of the data plane: accept no more, let clients go, wait for what is in flight, abort what is left.</summary>
internal sealed class Shutdown(ListenerSet listeners, DrainingServers draining, LeaseCounter inFlight, TimeProvider time)
{
    /// <summary>In which a client in steady use is told by its next response, before its connection is closed as idle under it.</summary>
    private static readonly TimeSpan Told = TimeSpan.FromMilliseconds(500);

    /// <summary>An aborted request ends at once, unless something in it does not listen: then the process must end all the same.</summary>
    private static readonly TimeSpan AbortGrace = TimeSpan.FromSeconds(3);

    public async Task<StopReport> RunAsync(TimeSpan grace)
    {
        long started = time.GetTimestamp();
        int before = (int)inFlight.Held;
        await listeners.CloseAllAsync();
        Task stopped = draining.WhenStopped();
        await WaitAsync(stopped, grace < Told ? grace : Told);
        draining.CloseIdle();
        await WaitAsync(stopped, grace - time.GetElapsedTime(started));
        if (stopped.IsCompleted) return new StopReport(before, 0);

        int aborted = (int)inFlight.Held;
        draining.AbortAll();
        await WaitAsync(stopped, AbortGrace);
        // Requests may have begun since on connections that were open: what was aborted may be more than there was at first.
        return new StopReport(Math.Max(0, before - aborted), aborted);
    }

    private async Task WaitAsync(Task stopped, TimeSpan atMost)
    {
        if (atMost <= TimeSpan.Zero || stopped.IsCompleted) return;
        using CancellationTokenSource enough = new();
        await Task.WhenAny(stopped, Task.Delay(atMost, time, enough.Token));
        await enough.CancelAsync();
    }
}
