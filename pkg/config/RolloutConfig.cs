namespace Gateway.Config;

[Doc("How a change comes into force: it is checked, tried on recorded requests, then served to a growing share of real ones beside what is live, and taken back when it does worse.")]
public sealed record RolloutConfig
{
    [Doc("The candidate decides the recorded requests (see replay) beside what is live; too many changed outcomes refuse it. Where the live configuration has a rollout of this name, the stricter of both counts: a budget is raised by one change, and the next one has the good of it. Absent in both: not asked.")]
    public ReplayBudgetConfig? Replay { get; init; }

    [Doc("The shares of requests that the candidate serves before it serves all, one after another, each larger than the one before. Empty: it is live at once. Where the live configuration has a rollout of this name, the shares of both are gone through, and none is left sooner than either says: at every moment the lesser one is served.")]
    [Example("[{ \"percent\": 1, \"for\": \"30s\" }, { \"percent\": 10, \"for\": \"30s\" }]")]
    public IReadOnlyList<RolloutStageConfig> Stages { get; init; } = [];

    [Doc("What keeps a client on one side while the share stays or grows: \"ip\" (the client's address), \"header:NAME\" or \"cookie:NAME\" (a request without it is drawn by itself), or \"random\" for each request by itself. Where the live configuration has a rollout of this name with stages, its cohort counts.")]
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

[Doc("When a candidate counts as worse than what is live. The gates are sequential tests: they may be looked at all the time without crying wolf more often than alpha says. Their alphas add up: by default to one rollout in a hundred.")]
public sealed record RolloutGatesConfig
{
    internal static readonly RolloutGatesConfig Default = new();

    [Doc("Failed requests: 5xx answers, and those that broke off, of each route.")]
    public ErrorRateGateConfig ErrorRate { get; init; } = ErrorRateGateConfig.Default;

    [Doc("How long requests of each route take.")]
    public LatencyGateConfig Latency { get; init; } = LatencyGateConfig.Default;

    [Doc("Answers with 4xx, the upstream's and the gateway's own (not let in, no such route, malformed), of each route and of all together: a candidate with many more of them turns clients away, and one with many fewer may let in whom it should not.")]
    public ClientErrorGateConfig ClientErrors { get; init; } = ClientErrorGateConfig.Default;

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
    public double Alpha { get; init; } = 0.009;
}

[Doc("Latency, compared by route.")]
public sealed record LatencyGateConfig
{
    internal static readonly LatencyGateConfig Default = new();

    [Doc("As of errorRate.")]
    public double Alpha { get; init; } = 0.0005;

    [Doc("How many times as long requests may take, from above 1 to 100.")]
    public double Factor { get; init; } = 1.5;
}

[Doc("The share of answers with 4xx, compared by route and of all.")]
public sealed record ClientErrorGateConfig
{
    internal static readonly ClientErrorGateConfig Default = new();

    [Doc("As of errorRate.")]
    public double Alpha { get; init; } = 0.0005;

    [Doc("By how many percentage points the candidate's share may be above or below that of what is live, from 0 to 100; 100 judges nothing. Small ones take a cohort of many clients: one robot that asks for what does not exist makes a difference of its own. Fewer refusals by a rate (429) do not count, for a candidate counts rates anew.")]
    public double MaxDifferencePercent { get; init; } = 20;
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
