using System.Runtime.InteropServices;

namespace Gateway.Core.Pool;

/// <summary>How busy an endpoint is. Lives as long as the endpoint, across applies. Thread safe.</summary>
public sealed class EndpointLoad
{
    // Alone on its cache line: every request writes it.
    [StructLayout(LayoutKind.Explicit, Size = 128)]
    private struct Padded
    {
        [FieldOffset(64)] public int Value;
    }

    private Padded _inFlight;

    /// <summary>Requests (to the end of the body) and upgraded connections on the endpoint now. Never negative.</summary>
    public int InFlight => Volatile.Read(ref _inFlight.Value);

    public void Begin() => Interlocked.Increment(ref _inFlight.Value);

    public void End() => Interlocked.Decrement(ref _inFlight.Value);
}
