namespace Gateway.Core.Limits;

/// <summary>What became of a request that had to wait for a slot.</summary>
public enum Admission : byte
{
    /// <summary>It has a slot, to be given back with <see cref="ConcurrencyLimiter.Leave"/>.</summary>
    Admitted,

    /// <summary>There was no room to wait.</summary>
    QueueFull,

    /// <summary>It waited, and another request took its place.</summary>
    Displaced,

    /// <summary>It waited as long as it may.</summary>
    TimedOut,

    /// <summary>It was called off.</summary>
    Cancelled,
}

/// <summary>How requests wait for a slot.</summary>
/// <param name="Length">How many may wait; 0: none.</param>
/// <param name="Timeout">How long one may wait.</param>
public readonly record struct QueueSettings(int Length, TimeSpan Timeout);
