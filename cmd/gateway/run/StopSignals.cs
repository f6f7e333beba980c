using System.Runtime.InteropServices;

namespace Gateway.Command.Run;

/// <summary>SIGTERM and SIGINT: the first asks for a drain, a second one ends the process at once. SIGHUP asks for a look at the file and a new access log file.</summary>
internal sealed partial class StopSignals : IDisposable
{
    private const int HangUp = 1;

    // As a shell reports a process that died of the signal.
    private const int SignalExit = 128;
    private readonly TaskCompletionSource _stop = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private readonly PosixSignalRegistration[] _registrations;

    public StopSignals(Action hangUp)
    {
        // nohup starts its command with this signal ignored, and .NET would leave it so. It asks for something here, as with nginx and HAProxy.
        if (!OperatingSystem.IsWindows()) _ = SetHandler(HangUp, handler: 0);
        _registrations =
        [
            PosixSignalRegistration.Create(PosixSignal.SIGTERM, c => OnStop(c, 15)),
            PosixSignalRegistration.Create(PosixSignal.SIGINT, c => OnStop(c, 2)),
            PosixSignalRegistration.Create(PosixSignal.SIGHUP, c =>
            {
                c.Cancel = true;
                hangUp();
            }),
        ];
    }

    /// <summary>Completes with the first signal to stop.</summary>
    public Task Stop => _stop.Task;

    public void Dispose()
    {
        foreach (PosixSignalRegistration registration in _registrations) registration.Dispose();
    }

    private void OnStop(PosixSignalContext context, int number)
    {
        context.Cancel = true;
        if (!_stop.TrySetResult()) Environment.Exit(SignalExit + number);
    }

    /// <param name="handler">0: the default, 1: ignored.</param>
    [LibraryImport("libc", EntryPoint = "signal")]
    [DefaultDllImportSearchPaths(DllImportSearchPath.SafeDirectories)]
    private static partial nint SetHandler(int signal, nint handler);
}
