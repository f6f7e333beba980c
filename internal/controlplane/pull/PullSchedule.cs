namespace Gateway.ControlPlane.Pull;

/// <summary>
/// When the next request goes out. Many gateways ask one distributor, so no two of them keep in step: a quarter of the interval more or less,
/// and after failures the exponential backoff with "equal jitter" of the AWS Architecture Blog (2015). Not thread safe.
/// </summary>
/// <param name="interval">Between two requests when all is well.</param>
/// <param name="random">From 0 to below 1.</param>
internal sealed class PullSchedule(TimeSpan interval, Func<double> random)
{
    public static readonly TimeSpan MostBackoff = TimeSpan.FromMinutes(5);

    /// <summary>Servers and what is between are asked for no more than that.</summary>
    private static readonly TimeSpan LeastWait = TimeSpan.FromSeconds(30), MostWait = TimeSpan.FromMinutes(5);

    private const double Jitter = 0.25;

    /// <summary>In a row.</summary>
    public int Failures { get; private set; }

    /// <summary>How long the server may hold a request until there is news: as long as the interval, so that one request is always waiting.</summary>
    public TimeSpan Wait { get; } = interval < LeastWait ? LeastWait : interval > MostWait ? MostWait : interval;

    /// <summary>The pause after a request that was answered.</summary>
    /// <param name="took">The request's time, which counts: a server that held it for the interval is asked again at once.</param>
    public TimeSpan AfterSuccess(TimeSpan took)
    {
        Failures = 0;
        TimeSpan pause = interval * (1 + Jitter * (2 * random() - 1)) - took;
        return pause > TimeSpan.Zero ? pause : TimeSpan.Zero;
    }

    /// <summary>The pause after one that was not, or whose bundle could not be taken yet.</summary>
    /// <param name="retryAfter">What the server asks for; null for nothing.</param>
    public TimeSpan AfterFailure(TimeSpan? retryAfter = null)
    {
        Failures = Math.Min(Failures + 1, int.MaxValue - 1);
        // Not shifted: 2^60 s would overflow.
        double doubled = interval.TotalSeconds * Math.Pow(2, Math.Min(Failures - 1, 40));
        TimeSpan longest = interval > MostBackoff ? interval : MostBackoff;
        TimeSpan backoff = TimeSpan.FromSeconds(Math.Min(doubled, longest.TotalSeconds)) * (0.5 + 0.5 * random());
        TimeSpan asked = retryAfter is not { } wanted ? TimeSpan.Zero : wanted > MostBackoff ? MostBackoff : wanted;
        return asked > backoff ? asked : backoff;
    }
}
