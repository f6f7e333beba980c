namespace Gateway.TestKit;

/// <summary>What is wrong with a <see cref="FaultOrigin"/>.</summary>
public abstract record Fault
{
    private Fault()
    {
    }

    /// <summary>Nothing: 200 with the body that the origin was given.</summary>
    public static Fault None { get; } = new Answers(200);

    /// <summary>Nobody listens: connecting is refused, and what was connected is reset.</summary>
    public static Fault Refuse { get; } = new Refuses();

    /// <summary>Connections are accepted and nothing is ever read or written.</summary>
    public static Fault AcceptOnly { get; } = new Accepts();

    /// <summary>Requests are read and never answered.</summary>
    public static Fault Hang { get; } = new Hangs();

    /// <summary>What is sent is not HTTP.</summary>
    public static Fault Garbage { get; } = new SendsGarbage();

    /// <summary>That status.</summary>
    public static Fault Status(int status) => new Answers(status);

    /// <summary>That status to every share-th request, evenly spread (0.5: every second), 200 to the others.</summary>
    public static Fault StatusShare(int status, double share) => new Answers(status) { Share = share };

    /// <summary>Headers only after that time.</summary>
    public static Fault SlowHeaders(TimeSpan delay) => new Answers(200) { HeaderDelay = delay };

    /// <summary>The body in ten parts, each after that time.</summary>
    public static Fault SlowBody(TimeSpan delay) => new Answers(200) { BodyDelay = delay };

    /// <summary>The connection is reset after that many bytes of the response; 0 for none at all.</summary>
    public static Fault ResetAt(int bytes) => new Resets(bytes);

    /// <summary>
    /// A connection answers that many requests and is closed as the next one comes: the moment at which closing and sending cross. Over
    /// HTTP/2 as <see cref="GoAway"/>, from that stream on.
    /// </summary>
    public static Fault StaleAfter(int requests) => new GoesStale(requests);

    /// <summary>HTTP/2 alone: RST_STREAM(REFUSED_STREAM), so that the request certainly was not processed.</summary>
    public static Fault RefuseStream { get; } = new ResetsStream(7, 0);

    /// <summary>HTTP/2 alone: RST_STREAM(INTERNAL_ERROR) after the head and that many bytes of the body.</summary>
    public static Fault ResetStreamAt(int bytes) => new ResetsStream(2, bytes);

    /// <summary>HTTP/2 alone: GOAWAY that names the stream before as the last one processed, and the end of the connection.</summary>
    public static Fault GoAway { get; } = new GoesAway();

    /// <summary>So many requests at a time, each for that long; what is more waits its turn: an origin with a capacity.</summary>
    public static Fault Capacity(int workers, TimeSpan each) => new Works(new SemaphoreSlim(workers), each);

    /// <summary>The first for one period, the second for the next, and again.</summary>
    public static Fault Flapping(TimeSpan period, Fault first, Fault second) => new Flaps(period, first, second);

    internal sealed record Refuses : Fault;

    internal sealed record Accepts : Fault;

    internal sealed record Hangs : Fault;

    internal sealed record SendsGarbage : Fault;

    internal sealed record Answers(int Code) : Fault
    {
        public double Share { get; init; } = 1;
        public TimeSpan HeaderDelay { get; init; }
        public TimeSpan BodyDelay { get; init; }
    }

    internal sealed record Resets(int Bytes) : Fault;

    internal sealed record GoesStale(int Requests) : Fault;

    internal sealed record ResetsStream(int Code, int Bytes) : Fault;

    internal sealed record GoesAway : Fault;

    internal sealed record Works(SemaphoreSlim Workers, TimeSpan Each) : Fault;

    internal sealed record Flaps(TimeSpan Period, Fault First, Fault Second) : Fault;
}
