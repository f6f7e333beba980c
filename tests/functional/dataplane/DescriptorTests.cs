using System.Diagnostics;
using System.Globalization;
using System.Runtime.InteropServices;
using Gateway.Functional.Tests.Harness;
using Gateway.TestKit;
using Xunit;

namespace Gateway.Functional.Tests.DataPlane;

/// <summary>At the end of the process's file descriptors: accepting waits, nothing spins, and it goes on by itself.</summary>
public sealed class DescriptorTests
{
    // On the loops only: .NET's sockets try again and again by themselves, which ConnectionBudget is there to keep them from.
    [Fact]
    public async Task OutOfDescriptors_ClientsWaitInTheBacklog_AndAreServedWhenThereAreSome()
    {
        await using RawOrigin origin = RawOrigin.Answering("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok");
        await using GatewayProcess gateway = await GatewayProcess.StartAsync(
            Doc.Proxy(origin.Address), new GatewayProcessOptions { Arguments = ["--transport", "epoll"] });
        // Everything the gateway opens for a request is open by now, and may stay.
        await using RawHttpClient before = await RawHttpClient.ConnectAsync(gateway.Listener());
        Assert.Equal("ok", (await before.RequestAsync(Doc.Get())).Text);
        int open = gateway.Descriptors;
        ulong limit = Limit(gateway.ProcessId, (ulong)open);

        var waiting = new List<RawHttpClient>();
        try
        {
            for (int i = 0; i < 8; i++) waiting.Add(await RawHttpClient.ConnectAsync(gateway.Listener()));
            foreach (RawHttpClient client in waiting) await client.SendAsync(Doc.Get());
            int Says() => gateway.Error.Count(static line => line.Contains("cannot be accepted", StringComparison.Ordinal));
            await Eventually.Until("the gateway says so", () => Says() > 0);
            (TimeSpan processor, long started, int said) = (Processor(gateway.ProcessId), Stopwatch.GetTimestamp(), Says());
            Assert.Equal("ok", (await before.RequestAsync(Doc.Get())).Text);
            // Every loop tries again once a second, and says so again.
            await Eventually.Until("it has tried again twice", () => Says() >= said + 2 * Environment.ProcessorCount);
            double busy = (Processor(gateway.ProcessId) - processor) / Stopwatch.GetElapsedTime(started);
            Assert.True(busy < 0.3, $"the gateway used {busy:0.00} of a processor while it could not accept");
            Assert.True(gateway.Descriptors <= open + 1, $"{gateway.Descriptors} descriptors of {open}");

            _ = Limit(gateway.ProcessId, limit);
            foreach (RawHttpClient client in waiting) Assert.Equal("ok", (await client.ReadResponseAsync()).Text);
        }
        finally
        {
            foreach (RawHttpClient client in waiting) await client.DisposeAsync();
        }
    }

    private static TimeSpan Processor(int processId)
    {
        // Fields 14 and 15 of stat, user and system time in ticks of 10 ms; the name before them may have spaces.
        string stat = File.ReadAllText($"/proc/{processId}/stat");
        string[] fields = stat[(stat.LastIndexOf(')') + 2)..].Split(' ');
        return TimeSpan.FromMilliseconds(10 * (long.Parse(fields[11], CultureInfo.InvariantCulture) + long.Parse(fields[12], CultureInfo.InvariantCulture)));
    }

    /// <summary>Sets the soft limit of a running process; returns what it was.</summary>
    private static ulong Limit(int processId, ulong descriptors)
    {
        const int openFiles = 7;
        Assert.Equal(0, PrLimit(processId, openFiles, 0, out Limits old));
        var next = new Limits { Soft = descriptors, Hard = old.Hard };
        Assert.Equal(0, PrLimit(processId, openFiles, ref next, out _));
        return old.Soft;
    }

    private struct Limits
    {
        public ulong Soft;
        public ulong Hard;
    }

    [DllImport("libc", EntryPoint = "prlimit")]
    [DefaultDllImportSearchPaths(DllImportSearchPath.SafeDirectories)]
    private static extern int PrLimit(int processId, int resource, nint none, out Limits old);

    [DllImport("libc", EntryPoint = "prlimit")]
    [DefaultDllImportSearchPaths(DllImportSearchPath.SafeDirectories)]
    private static extern int PrLimit(int processId, int resource, ref Limits next, out Limits old);
}
