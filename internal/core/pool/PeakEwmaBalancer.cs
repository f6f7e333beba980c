namespace Gateway.Core.Pool;

/// <summary>
/// Of two members drawn by weight, the one that is expected to answer sooner: its latency, which rises at once with a slow answer and
/// decays with time, times the requests that it would have, per weight (Finagle's and Linkerd's peak EWMA). Fed by
/// <see cref="EndpointLoad.Observe"/>.
/// </summary>
public sealed class PeakEwmaBalancer : Balancer
{
    private readonly BalancerMember[] _members;
    private readonly WeightedDraw _draw;
    private readonly TimeProvider _time;

    public PeakEwmaBalancer(BalancerMember[] members, PickRandom random, TimeProvider time)
    {
        _members = members;
        _draw = new WeightedDraw(members, random);
        _time = time;
    }

    public override int Pick(in PickContext context)
    {
        (int first, int second) = _draw.Two(context.Excluded);
        if (second < 0) return first;
        long now = _time.GetTimestamp();
        return Cost(first, now) <= Cost(second, now) ? first : second;
    }

    private double Cost(int member, long now)
    {
        EndpointLoad load = _members[member].Load;
        int inFlight = load.InFlight;
        double latency = load.Latency(now);
        // Nothing is known of it and it has not answered yet: one request at a time until it does (Finagle's penalty).
        if (latency == 0 && inFlight != 0) return (double)long.MaxValue * inFlight / _members[member].Weight;
        return latency * (inFlight + 1) / _members[member].Weight;
    }
}
