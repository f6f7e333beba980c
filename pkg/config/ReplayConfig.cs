namespace Gateway.Config;

[Doc("A ring of recent requests in memory, by which a candidate is tried on what clients really ask for: method, host, path, and those headers and query parameters that routes ask for; no bodies, nothing on disk. Values of credentials (Authorization, Cookie, and what is named like one) are hashed, so that conditions on them are not tried.")]
public sealed record ReplayConfig
{
    [Doc("How many requests are kept, of about half a kilobyte each and 8 KiB at most (what has more is left out); the oldest give way. 0 keeps none and costs nothing.")]
    [Range("0", "1000000")]
    public int Keep { get; init; }

    [Doc("One in how many requests is kept.")]
    [Range("1", "1000000")]
    public int Every { get; init; } = 10;

    [Doc("Header fields to keep besides those that routes ask for, for routes that will.")]
    [Example("[\"x-tenant\"]")]
    public IReadOnlyList<string> Headers { get; init; } = [];
}

[Doc("How much of real traffic a change may treat differently. A rollback is not asked.")]
public sealed record ReplayBudgetConfig
{
    [Doc("The share of the recorded requests, in percent from 0 to 100, whose route, pool or status may change.")]
    public required double MaxChangedPercent { get; init; }

    [Doc("With fewer recorded requests than this the share says little, and nothing is refused.")]
    [Range("1", "1000000")]
    public int MinRequests { get; init; } = 100;
}
