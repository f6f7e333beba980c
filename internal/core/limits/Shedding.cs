namespace Gateway.Core.Limits;

/// <summary>Which requests to turn away when not all can be served: the least important ones first, of one importance by lot.</summary>
public static class Shedding
{
    /// <summary>How hard pressed something is that has a threshold and an end: 0 up to the threshold, 1 from the end on.</summary>
    public static double Pressure(double value, double threshold, double end) =>
        value <= threshold ? 0 : Math.Min(1, (value - threshold) / (end - threshold));

    /// <param name="pressure">0: nobody is turned away; 1: everybody.</param>
    /// <param name="priority">0, the most important, to 7.</param>
    /// <param name="lot">Drawn evenly from 0 to 1.</param>
    public static bool TurnsAway(double pressure, int priority, double lot) => priority + lot >= (1 - pressure) * ConcurrencyLimiter.Priorities;
}
