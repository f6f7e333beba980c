using System.Runtime.InteropServices;

namespace Gateway.Command.Demo;

/// <summary>Waits until the process is told to stop.</summary>
internal static class TerminationSignal
{
    /// <summary>Completes at SIGINT, SIGTERM or cancellation, whichever comes first.</summary>
    public static async Task WaitAsync(CancellationToken cancellationToken)
    {
        var stop = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        void OnSignal(PosixSignalContext signal)
        {
            signal.Cancel = true;
            _ = stop.TrySetResult();
        }
        using PosixSignalRegistration interrupt = PosixSignalRegistration.Create(PosixSignal.SIGINT, OnSignal);
        using PosixSignalRegistration terminate = PosixSignalRegistration.Create(PosixSignal.SIGTERM, OnSignal);
        using CancellationTokenRegistration cancelled = cancellationToken.Register(() => stop.TrySetResult());
        await stop.Task;
    }
}
