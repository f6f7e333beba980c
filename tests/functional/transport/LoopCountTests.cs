using Gateway.Functional.Tests.Harness;
using Gateway.TestKit;
using Xunit;

namespace Gateway.Functional.Tests.Transport;

public sealed class LoopCountTests
{
    [Theory]
    [InlineData(1)]
    [InlineData(3)]
    public async Task LoopsOption_IsTheNumberOfLoopThreads(int loops)
    {
        Assert.SkipUnless(OperatingSystem.IsLinux(), "event loops are for Linux");
        await using FaultOrigin origin = FaultOrigin.Start();
        await using GatewayProcess gateway = await GatewayProcess.StartAsync(
            Doc.Proxy(origin.Address), new GatewayProcessOptions { Arguments = ["--transport", "epoll", "--loops", $"{loops}"] });
        int threads = Directory.GetDirectories($"/proc/{gateway.ProcessId}/task").Count(static t => File.ReadAllText(Path.Combine(t, "comm")) is ['l', 'o', 'o', 'p', '-', >= '0' and <= '9', ..]);
        Assert.Equal(loops, threads);
        Assert.Equal(loops, (await gateway.MetricsAsync()).Samples.Keys.Count(static k => k.StartsWith("gateway_event_loop_stalls_total{", StringComparison.Ordinal)));
        Assert.Equal(200, (await RawHttpClient.OnceAsync(gateway.Listener(), Doc.Get())).Status);
    }
}
