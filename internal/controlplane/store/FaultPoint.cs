using System.Diagnostics;

namespace Gateway.ControlPlane.Store;

/// <summary>
/// A hook for tests of the built executable: <c>GATEWAY_FAULT=POINT:N</c> in the environment lets the process kill itself (SIGKILL) when it
/// passes the point for the N-th time, having named it on standard error. A point is <c>WHAT.STEP</c>, such as <c>journal.append</c>, with
/// <c>.before</c>, <c>.torn</c> (half of the bytes are written) or <c>.after</c>; <c>any</c> is each of them. Without the variable there is
/// nothing of it at run time. Thread safe.
/// </summary>
internal static class FaultPoint
{
    private static readonly (string Point, int Nth)? Armed = Read(Environment.GetEnvironmentVariable("GATEWAY_FAULT"));
    private static int _passed;

    public static bool IsArmed => Armed is not null;

    /// <summary>Does not return when it is the process's last.</summary>
    public static void Pass(string point)
    {
        if (IsLast(point)) Die(point);
    }

    /// <summary>True: only a part of what is written now is to be, and then <see cref="Die"/> be called.</summary>
    public static bool IsLast(string point) =>
        Armed is { } armed && (armed.Point == "any" || armed.Point == point) && Interlocked.Increment(ref _passed) == armed.Nth;

    public static void Die(string point)
    {
        File.AppendAllText("/dev/stderr", $"fault: {point}\n");
        using Process process = Process.GetCurrentProcess();
        process.Kill();
        process.WaitForExit();
    }

    private static (string, int)? Read(string? text) =>
        text?.Split(':') is [var point, var nth] && int.TryParse(nth, System.Globalization.CultureInfo.InvariantCulture, out int n) && n > 0 ? (point, n) : null;
}
