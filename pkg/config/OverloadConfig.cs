namespace Gateway.Config;

[Doc("How many requests of the route may run at once. What is more waits in a bounded queue, and what cannot wait gets 503 overloaded with Retry-After. Under lasting pressure the last come is served first, for the first ones are those about to give up.")]
public sealed record OverloadConfig
{
    [Doc("Requests at once at most, each to the end of its body; with adaptive, the upper bound.")]
    [Range("1", "1000000")]
    public int MaxInflight { get; init; } = 512;

    [Doc("Requests that may wait; 0: none.")]
    [Range("0", "1000000")]
    public int MaxQueue { get; init; } = 128;

    [Doc("How long a request may wait.")]
    [Range("1ms", "1m")]
    public TimeSpan QueueTimeout { get; init; } = TimeSpan.FromMilliseconds(200);

    [Doc("Who goes first. Absent: all requests of the route are as important, 3.")]
    public PriorityConfig? Priority { get; init; }

    [Doc("Find the limit by itself: it grows while latency, to the response's headers, is near what it is without queueing, and falls as latency rises (after Netflix's Gradient2 and Envoy's adaptive concurrency).")]
    public bool Adaptive { get; init; }
}

[Doc("How important requests are: 0, the most, to 7, the least (the urgencies of RFC 9218).")]
public sealed record PriorityConfig
{
    [Doc("The header field that says so: \"5\", or \"u=5\" as in RFC 9218. What it says is believed, so let it be set or removed before the gateway. Absent: no field is looked at.")]
    [Example("\"priority\"")]
    public string? Header { get; init; }

    [Doc("The importance of a request whose field says nothing.")]
    [Range("0", "7")]
    public int Level { get; init; } = 3;
}

[Doc("When the whole process has more than it can do, it turns requests away with 503 overloaded and Retry-After, the least important ones (overload.priority of their routes) first, and of those as many as it must.")]
public sealed record ProcessOverloadConfig
{
    [Doc("Percent of the memory that the process may use (its container's, or the machine's) above which it turns requests away; half way from there to 100 it turns away all, and accepts no connections until there is more. 0: memory is not looked at.")]
    [Range("0", "99")]
    public int MemoryPercent { get; init; } = 90;

    [Doc("How long work may wait for a thread or an event loop, for a second without a break, before requests are turned away; at five times as long all are. 0s: not looked at.")]
    [Range("0s", "1m")]
    public TimeSpan QueueDelay { get; init; } = TimeSpan.FromSeconds(1);
}
