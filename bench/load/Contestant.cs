using System.Diagnostics;
using System.Globalization;

namespace Gateway.Bench.Load;

/// <summary>
/// A proxy in the comparison: how it is started, and on which port it answers. Ports: base plain, +1 TLS, +2 HTTP/2 in clear text, +9 ours
/// for metrics; slow ones +10, gRPC +20, ours with all of resilience +30, with an adaptive limit +31.
/// </summary>
internal sealed class Contestant(string name, int basePort, Func<Contestant, Process> start, string version) : IDisposable
{
    public string Name { get; } = name;
    public string Version { get; } = version;
    public int BasePort { get; } = basePort;
    public Process Process { get; private set; } = null!;

    /// <summary>It writes a line for each request, unlike its namesake.</summary>
    public bool Logs { get; init; }

    /// <summary>It tells what it allocates.</summary>
    public bool Measures { get; init; }

    /// <summary>Returns when it answers.</summary>
    public async Task StartAsync()
    {
        Process = start(this);
        await Stage.WaitForAsync(BasePort);
    }

    /// <summary>Managed bytes allocated so far; NaN when it does not tell.</summary>
    public async Task<double> AllocatedAsync()
    {
        if (!Measures) return double.NaN;
        using var http = new HttpClient();
        string metrics = await http.GetStringAsync($"http://127.0.0.1:{BasePort + 9}/metrics");
        string line = metrics.Split('\n').First(static l => l.StartsWith("dotnet_gc_allocated_bytes_total ", StringComparison.Ordinal));
        return double.Parse(line.Split(' ')[1], CultureInfo.InvariantCulture);
    }

    public string Url(Scenario scenario)
    {
        int port = BasePort + (scenario.Slow ? 10 : 0) + scenario.Door switch
        {
            Door.Tls => 1,
            Door.H2c => 2,
            Door.Grpc => 20,
            Door.Resilient when Name == "gateway" => 30,
            Door.Adaptive when Name == "gateway" => 31,
            _ => 0,
        };
        return $"{(scenario.Door == Door.Tls ? "https" : "http")}://127.0.0.1:{port}{scenario.Path}";
    }

    public void Dispose()
    {
        if (Process is null) return;
        if (!Process.HasExited) Process.Kill(entireProcessTree: true);
        Process.WaitForExit();
        Process.Dispose();
    }
}
