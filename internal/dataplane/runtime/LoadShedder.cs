using Gateway.Core.Limits;

namespace Gateway.DataPlane.Runtime;

/// <summary>Turns requests away while the whole process is hard pressed. Thread safe; while it is not, that costs one read.</summary>
internal sealed class LoadShedder
{
    private double _pressure;

    /// <summary>0: none; 1: more than it can bear. Written by the one who watches over the process.</summary>
    public double Pressure
    {
        get => Volatile.Read(ref _pressure);
        set => Volatile.Write(ref _pressure, value);
    }

    /// <summary>Whether a request has to go.</summary>
    public bool TurnsAway(RouteModel route, RequestContext context) =>
        Pressure is > 0 and var pressure && Shedding.TurnsAway(pressure, route.Priority.Of(context), Gateway.Core.Pool.PickRandom.PerThread.Next() / (double)ulong.MaxValue);
}
