using System.Diagnostics;

namespace Gateway.Bench.Load;

/// <summary>A proxy in the comparison: how it is started, and on which port it answers. Ports: base plain, +1 TLS, +2 HTTP/2 in clear text; slow ones +10.</summary>
internal sealed class Contestant(string name, int basePort, Func<Contestant, Process> start, string version) : IDisposable
{
    public string Name { get; } = name;
    public string Version { get; } = version;
    public int BasePort { get; } = basePort;
    public Process Process { get; private set; } = null!;

    public void Start() => Process = start(this);

    public string Url(Scenario scenario)
    {
        int port = BasePort + (scenario.Slow ? 10 : 0) + scenario.Door switch { Door.Tls => 1, Door.H2c => 2, _ => 0 };
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
