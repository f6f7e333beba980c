namespace Gateway.DataPlane.Runtime;

/// <summary>How long a request may still take, for a filter that has it wait. Begun before the filters run.</summary>
internal interface IRequestTime
{
    /// <summary>Cancelled when it is over. Asking for it costs a source: for those who wait.</summary>
    CancellationToken Token { get; }

    /// <summary>It is over, whether that has been noticed yet or not.</summary>
    bool IsOver { get; }
}
