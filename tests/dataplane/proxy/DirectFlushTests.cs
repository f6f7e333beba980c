using System.Buffers;
using System.IO.Pipelines;
using Gateway.Config;
using Gateway.DataPlane.Tests.Transport;
using Gateway.DataPlane.Transport;
using Gateway.TestKit;
using Xunit;

namespace Gateway.DataPlane.Tests.Proxy;

/// <summary>How responses are written to a client of the short way, and on which thread, seen from the client's end of the pipe.</summary>
public sealed class DirectFlushTests
{
    private const string Get = "GET / HTTP/1.1\r\nHost: a\r\n\r\n";

    private static EventLoop SkipWithoutLoops()
    {
        Assert.SkipUnless(ProxyHost.OnLoops, "without event loops there is no short way");
        return ProxyHost.EventLoops![0];
    }

    [Fact]
    public async Task ABodyOfUnknownLength_IsReadInLargePieces()
    {
        EventLoop loop = SkipWithoutLoops();
        await using RawOrigin origin = RawOrigin.Start(async c =>
        {
            _ = await c.ReadHeadAsync();
            await c.SendAsync($"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n{new string('x', 300_000)}");
        });
        await using ProxyHost proxy = await ProxyHost.StartAsync(origin.Address);
        var client = new ScriptedClient(loop);
        Task serving = client.ServeAsync(proxy);
        await client.SendAsync(Get);
        client.End();
        await Eventually.Within("the response", serving);
        Assert.Equal(300_000, client.Written.Count(static c => c == 'x'));
        // But for the head and for the last chunk, nothing less than a page is asked for.
        Assert.True(client.Hints.Count(static hint => hint < 4096) <= 2, string.Join(" ", client.Hints));
    }

    [Fact]
    public async Task AfterAnUpstreamOfTheHandlers_TheResponseIsEndedOnTheLoop()
    {
        EventLoop loop = SkipWithoutLoops();
        await using HttpOrigin origin = await HttpOrigin.StartH2cAsync();
        await using ProxyHost proxy = await ProxyHost.StartAsync(origin.Address, new ProxyOptions { Protocol = UpstreamProtocol.H2c });
        var client = new ScriptedClient(loop);
        Task serving = client.ServeAsync(proxy);
        // Without a body all that is written is written at the end.
        for (int i = 0; i < 10; i++) await client.SendAsync("HEAD / HTTP/1.1\r\nHost: a\r\n\r\n");
        client.End();
        await Eventually.Within("the responses", serving);
        Assert.Equal(10, client.FlushedOn.Count);
        Assert.All(client.FlushedOn, on => Assert.Same(loop, on));
    }

    /// <summary>As over HTTP/2, whose flushes end on the thread pool: the client leaves while the upstream's next chunk is waited for.</summary>
    [Fact]
    public async Task AClientThatLeavesWhileTheUpstreamIsWaitedFor_LeavesNoBufferToBeWrittenInto()
    {
        EventLoop loop = SkipWithoutLoops();
        TaskCompletionSource more = new(TaskCreationOptions.RunContinuationsAsynchronously), sent = new(TaskCreationOptions.RunContinuationsAsynchronously);
        await using RawOrigin origin = RawOrigin.Start(async c =>
        {
            _ = await c.ReadHeadAsync();
            await c.SendAsync("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n");
            await more.Task;
            await c.SendAsync("5\r\nwrong\r\n");
            sent.SetResult();
            await c.WaitForEndAsync();
        });
        await using ProxyHost proxy = await ProxyHost.StartAsync(origin.Address);
        // Continued where it is completed: by the thread below.
        var taken = new TaskCompletionSource<FlushResult>();
        var client = new ScriptedClient(loop) { OnFlush = () => taken.Task };
        Task serving = client.ServeAsync(proxy);
        await client.SendAsync(Get);
        await Eventually.Until("the first chunk waits for the client", () => client.FlushedOn.Count == 1);

        // The loop stands still, as it may: what another thread does meanwhile comes before all that the loop is asked for.
        using ManualResetEventSlim standsStill = new(), goesOn = new();
        loop.Post(_ =>
        {
            standsStill.Set();
            goesOn.Wait(Eventually.DefaultDeadline);
        }, null);
        byte[] others = [];
        OwnThread.Run(() =>
        {
            standsStill.Wait(Eventually.DefaultDeadline);
            taken.SetResult(new FlushResult(isCanceled: false, isCompleted: true));
            // Whatever of this size was given back on this thread is another's from here on.
            others = ArrayPool<byte>.Shared.Rent(8192);
            others.AsSpan().Fill((byte)'~');
        });
        more.SetResult();
        await sent.Task;
        goesOn.Set();
        await Eventually.Within("the end of the request", serving);
        Assert.DoesNotContain(others, static b => b != (byte)'~');
        ArrayPool<byte>.Shared.Return(others);
    }
}
