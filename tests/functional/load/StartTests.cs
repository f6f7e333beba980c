using System.Diagnostics;
using Gateway.Functional.Tests.Harness;
using Gateway.TestKit;
using Xunit;

namespace Gateway.Functional.Tests.Load;

/// <summary>What a gateway costs before it has done anything. The targets are 400 ms and little memory on a machine that is idle; a busy one gets much slack, for only a change of kind is a defect.</summary>
[Collection("load")]
public sealed class StartTests(ITestOutputHelper output)
{
    [Fact]
    public async Task TheFirstAnswer_ComesSoonAfterTheStart_AndAnIdleGatewayIsSmall()
    {
        await using RawOrigin origin = RawOrigin.Answering("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok");
        var fastest = TimeSpan.MaxValue;
        long resident = long.MaxValue;
        for (int i = 0; i < 3; i++)
        {
            long started = Stopwatch.GetTimestamp();
            await using GatewayProcess gateway = await GatewayProcess.StartAsync(Doc.Proxy(origin.Address));
            Assert.Equal("ok", (await RawHttpClient.OnceAsync(gateway.Listener(), Doc.Get())).Text);
            TimeSpan took = Stopwatch.GetElapsedTime(started);
            if (took < fastest) fastest = took;
            resident = Math.Min(resident, gateway.Rss);
        }
        output.WriteLine($"start to first answer {fastest.TotalMilliseconds:0} ms, resident {resident >> 20} MB");
        Assert.InRange(fastest.TotalMilliseconds, 0, 3000);
        Assert.InRange(resident, 0, 160 << 20);
    }
}
