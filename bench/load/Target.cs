using System.Globalization;

namespace Gateway.Bench.Load;

/// <summary>What is asked of the gateway: at most so many times what a peer spends, in the same run.</summary>
/// <param name="Peers">Of these the better counts.</param>
internal sealed record Target(double AtMost, params string[] Peers)
{
    public const string Nginx = "nginx", HaProxy = "haproxy", Yarp = "plain YARP";

    /// <summary>Managed bytes for a request over HTTP/1.1.</summary>
    public const double BytesPerRequest = 400;

    /// <summary>Of a connection that waits.</summary>
    public const double IdleKilobytes = 12;

    public const double StartMilliseconds = 400;

    public static Target Better(double atMost) => new(atMost, Nginx, HaProxy);

    /// <summary>The sentence for a table's cell.</summary>
    /// <param name="cost">Of a contestant by its name.</param>
    public string Judge(double ours, Func<string, double> cost)
    {
        double ratio = ours / Peers.Min(cost);
        string of = Peers.Length > 1 ? "" : $" of {Peers[0]}";
        return string.Create(CultureInfo.InvariantCulture, $"≤ {AtMost:F2}{of}: {(double.IsNaN(ratio) ? "not measured" : Verdict(Math.Round(ratio, 2) <= AtMost))}{(Peers.Length > 1 || double.IsNaN(ratio) ? "" : $" ({ratio:F2})")}");
    }

    public static string Verdict(bool met) => met ? "met" : "**missed**";
}
