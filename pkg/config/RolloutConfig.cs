namespace Gateway.Config;

[Doc("How a change comes into force: it is checked, tried on recorded requests, then served to a growing share of real ones beside what is live, and taken back when it does worse.")]
public sealed record RolloutConfig
{
    [Doc("The candidate decides the recorded requests (see replay) beside what is live; too many changed outcomes refuse it. Absent: not asked.")]
    public ReplayBudgetConfig? Replay { get; init; }

    [Doc("The shares of requests that the candidate serves before it serves all, one after another, each larger than the one before. Empty: it is live at once. Where the live configuration has a rollout of this name that begins with a smaller share, or has stages where this has none, its stages are gone through in place of these.")]
    [Example("[{ \"percent\": 1, \"for\": \"30s\" }, { \"percent\": 10, \"for\": \"30s\" }]")]
    public IReadOnlyList<RolloutStageConfig> Stages { get; init; } = [];

    [Doc("What keeps a client on one side while the share stays or grows: \"ip\" (the client's address), \"header:NAME\" or \"cookie:NAME\" (a request without it is drawn by itself), or \"random\" for each request by itself.")]
    [Example("\"header:x-user\"")]
    public string Cohort { get; init; } = "ip";

    [Doc("What the candidate is held against. Where the live configuration has a rollout of this name, the stricter of both counts, gate by gate: so a change that loosens a gate is judged by the gate as it was.")]
    public RolloutGatesConfig Gates { get; init; } = RolloutGatesConfig.Default;

    [Doc("What becomes of a stage that has lasted gates.maxTime without enough requests to judge by.")]
    public NoTrafficAction OnNoTraffic { get; init; } = NoTrafficAction.Promote;

    [Doc("How it goes through the replicas of a fleet, each of which judges the candidate by its own requests, with its part of alpha. Where the live configuration has a rollout of this name that is sequential, so is this.")]
    public FleetRolloutMode Fleet { get; init; } = FleetRolloutMode.Sequential;

    [Doc("In a fleet: how long a replica goes on serving the candidate while it cannot reach the fleet's database; then it serves what is live alone, and the rollout ends for all when it is back. The others end it when they have not heard of a replica with the candidate for ten seconds.")]
    [Range("1s", "24h")]
    public TimeSpan HoldTimeout { get; init; } = TimeSpan.FromSeconds(30);
}

[Doc("A share of requests, and how long it is served at least.")]
public sealed record RolloutStageConfig
{
    [Doc("The share that the candidate serves, in percent above 0 and up to 100; two decimals count.")]
    public required double Percent { get; init; }

    [Doc("How long at least before the next share.")]
    [Range("0s", "24h")]
    public required TimeSpan For { get; init; }
}

[Doc("When a candidate counts as worse than what is live. Both gates are sequential tests: they may be looked at all the time without crying wolf more often than alpha says.")]
public sealed record RolloutGatesConfig
{
    internal static readonly RolloutGatesConfig Default = new();

    [Doc("Failed requests: 5xx answers, and those that broke off, of each route.")]
    public ErrorRateGateConfig ErrorRate { get; init; } = ErrorRateGateConfig.Default;

    [Doc("How long requests of each route take.")]
    public LatencyGateConfig Latency { get; init; } = LatencyGateConfig.Default;

    [Doc("Requests that the candidate must have served before its stage may end.")]
    [Range("1", "1000000000")]
    public int MinSamples { get; init; } = 200;

    [Doc("How long a stage waits at most for so many requests; then onNoTraffic says what becomes of it.")]
    [Range("1s", "168h")]
    public TimeSpan MaxTime { get; init; } = TimeSpan.FromMinutes(10);
}

[Doc("The share of failed requests, compared by route.")]
public sealed record ErrorRateGateConfig
{
    internal static readonly ErrorRateGateConfig Default = new();

    [Doc("How often, at most, a rollout whose candidate is no worse is taken back by this gate all the same; above 0 and below 0.5. A larger one catches sooner.")]
    public double Alpha { get; init; } = 0.01;
}

[Doc("Latency, compared by route.")]
public sealed record LatencyGateConfig
{
    internal static readonly LatencyGateConfig Default = new();

    [Doc("As of the other gate.")]
    public double Alpha { get; init; } = 0.01;

    [Doc("How many times as long requests may take, from above 1 to 100.")]
    public double Factor { get; init; } = 1.5;
}

public enum FleetRolloutMode
{
    [Doc("One replica after another takes the candidate through all stages.")] Sequential,
    [Doc("All replicas serve the same stage at once, and go on to the next when each has passed it.")] Together,
}

public enum NoTrafficAction
{
    [Doc("Goes on to the next stage.")] Promote,
    [Doc("Waits on, until there were enough requests or someone decides.")] Hold,
    [Doc("Takes the candidate back.")] Return,
}
