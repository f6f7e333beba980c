using System.Runtime.ExceptionServices;

namespace Gateway.DataPlane.Tests.Transport;

/// <summary>A thread of a test's own, for what is kept per thread.</summary>
internal static class OwnThread
{
    public static void Run(Action test)
    {
        ExceptionDispatchInfo? failure = null;
        var thread = new Thread(() =>
        {
            try { test(); }
            catch (Exception e) { failure = ExceptionDispatchInfo.Capture(e); }
        });
        thread.Start();
        thread.Join();
        failure?.Throw();
    }
}
