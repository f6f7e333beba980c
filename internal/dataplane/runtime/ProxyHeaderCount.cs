namespace Gateway.DataPlane.Runtime;

/// <summary>Why a connection was closed whose PROXY header was awaited.</summary>
internal enum ProxyHeaderFault : byte
{
    /// <summary>It began with something else, and a header is required.</summary>
    Missing,
    Malformed,

    /// <summary>Not whole within the header timeout.</summary>
    Timeout,

    /// <summary>The peer is not among those whose headers are believed, and a header is required.</summary>
    Untrusted,
}

/// <summary>Connections of a listener closed for want of a good PROXY header, by reason, since the start. Thread safe.</summary>
internal sealed class ProxyHeaderCount
{
    private static readonly string[] Labels = ["missing", "malformed", "timeout", "untrusted"];

    private readonly long[] _faults = new long[Labels.Length];

    /// <summary>How many of this kind with this one.</summary>
    public long Add(ProxyHeaderFault fault) => Interlocked.Increment(ref _faults[(int)fault]);

    public long this[ProxyHeaderFault fault] => Volatile.Read(ref _faults[(int)fault]);

    public static string LabelOf(ProxyHeaderFault fault) => Labels[(int)fault];
}
