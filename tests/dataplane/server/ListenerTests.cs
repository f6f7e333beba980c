using System.Net;
using System.Net.Sockets;
using Gateway.Config;
using Gateway.DataPlane.Server;
using Gateway.TestKit;
using Xunit;

namespace Gateway.DataPlane.Tests.Server;

public sealed class ListenerTests
{
    [Fact]
    public async Task Listener_ServesFromTheSnapshotThatWasPublished()
    {
        await using RunningHost running = new();
        await running.ApplyAsync(RunningHost.Listener());
        await using RawHttpClient client = await running.ConnectAsync();
        Assert.Equal("v1 web HTTP/1.1", (await client.RequestAsync(Requests.Get)).Text);
    }

    [Fact]
    public async Task UnchangedListener_KeepsItsConnectionAcrossAnApply()
    {
        await using RunningHost running = new();
        await running.ApplyAsync(RunningHost.Listener());
        await using RawHttpClient client = await running.ConnectAsync();
        await client.RequestAsync(Requests.Get);

        await running.ApplyAsync(RunningHost.Listener(), RunningHost.Listener("second"));

        RawResponse response = await client.RequestAsync(Requests.Get);
        Assert.Equal("v2 web HTTP/1.1", response.Text);
        Assert.Null(response["Connection"]);
    }

    [Fact]
    public async Task ChangedListener_KeepsItsSocket_AndLetsABusyConnectionFinishWithConnectionClose()
    {
        await using RunningHost running = new();
        await running.ApplyAsync(RunningHost.Listener());
        Uri address = running.Address();
        await using RawHttpClient old = await running.ConnectAsync();
        await old.RequestAsync(Requests.Get);
        await using RawHttpClient busy = await running.ConnectAsync();
        await busy.SendAsync(Requests.Hold);
        await Eventually.Until("the request waits", () => running.Held.Waiting == 1);

        await running.ApplyAsync(RunningHost.Listener() with { Limits = new() { IdleTimeout = TimeSpan.FromSeconds(7) } });

        Assert.Equal(address, running.Address());
        await using RawHttpClient fresh = await running.ConnectAsync();
        Assert.Equal("v2 web HTTP/1.1", (await fresh.RequestAsync(Requests.Get)).Text);
        // The old server's clients are told with their next response, and get it from the snapshot that is live.
        RawResponse told = await old.RequestAsync(Requests.Get);
        Assert.Equal(("v2 web HTTP/1.1", "close"), (told.Text, told["Connection"]));
        running.Held.Open();
        Assert.Equal("v1 web HTTP/1.1", (await busy.ReadResponseAsync()).Text);
    }

    [Fact]
    public async Task UpgradedConnection_SurvivesAChangeOfItsListener_AndItsRemoval()
    {
        await using RunningHost running = new();
        await running.ApplyAsync(RunningHost.Listener());
        await using RawHttpClient client = await running.ConnectAsync();
        await client.SendAsync(Requests.Upgrade);
        Assert.Equal(101, (await client.ReadHeadAsync())!.Status);

        await running.ApplyAsync(RunningHost.Listener() with { Http2 = false });
        await client.SendAsync("one");
        Assert.Equal("one"u8.ToArray(), await client.ReadAsync(3));
        await running.ApplyAsync(RunningHost.Listener("other"));
        await client.SendAsync("two");
        Assert.Equal("two"u8.ToArray(), await client.ReadAsync(3));
        Assert.Equal(0, running.Host.RetiredSnapshots);
    }

    [Fact]
    public async Task RemovedListener_AcceptsNoMore_AndItsConnectionsAreLetGo()
    {
        await using RunningHost running = new();
        await running.ApplyAsync(RunningHost.Listener(), RunningHost.Listener("second"));
        Uri address = running.Address("second");
        await using RawHttpClient client = await running.ConnectAsync("second");
        await client.RequestAsync(Requests.Get);

        await running.ApplyAsync(RunningHost.Listener());

        RawResponse last = await client.RequestAsync(Requests.Get);
        Assert.Equal(("v2 second HTTP/1.1", "close"), (last.Text, last["Connection"]));
        await Assert.ThrowsAsync<SocketException>(() => RawHttpClient.ConnectAsync(address));
    }

    [Fact]
    public async Task RenamedListener_TakesTheSocketOver()
    {
        await using RunningHost running = new();
        int port = FreePort();
        await running.ApplyAsync(RunningHost.Listener("before", $"127.0.0.1:{port}"));
        await running.ApplyAsync(RunningHost.Listener("after", $"127.0.0.1:{port}"));
        await using RawHttpClient client = await running.ConnectAsync("after");
        Assert.Equal("v2 after HTTP/1.1", (await client.RequestAsync(Requests.Get)).Text);
    }

    [Fact]
    public async Task ListenerThatChangesUnderLoad_RefusesNoConnectionAndFailsNoRequest()
    {
        await using RunningHost running = new();
        await running.ApplyAsync(RunningHost.Listener());
        Uri address = running.Address();
        using CancellationTokenSource done = new();
        int served = 0;
        Task[] clients = [.. Enumerable.Range(0, 4).Select(_ => Task.Run(async () =>
        {
            while (!done.IsCancellationRequested)
            {
                // A new connection and a kept one by turns.
                await using RawHttpClient client = await RawHttpClient.ConnectAsync(address);
                for (bool open = true; open && !done.IsCancellationRequested;)
                {
                    RawResponse response = await client.RequestAsync(Requests.Get);
                    Assert.Equal(200, response.Status);
                    open = response["Connection"] is null && Interlocked.Increment(ref served) % 5 != 0;
                }
            }
        }))];
        for (int i = 0; i < 200 || Volatile.Read(ref served) < 200; i++)
            await running.ApplyAsync(RunningHost.Listener() with { Limits = new() { IdleTimeout = TimeSpan.FromSeconds(60 + (i % 2)) } });
        await done.CancelAsync();
        await Eventually.Within("all clients end without a failure", Task.WhenAll(clients));
    }

    [Fact]
    public async Task AddressInUse_RejectsTheWholeApply_AndReleasesWhatWasBound()
    {
        await using RunningHost running = new();
        await running.ApplyAsync(RunningHost.Listener());
        using Socket other = new(SocketType.Stream, ProtocolType.Tcp);
        other.Bind(new IPEndPoint(IPAddress.Loopback, 0));
        other.Listen();
        int free = FreePort(), taken = ((IPEndPoint)other.LocalEndPoint!).Port;
        int states = running.Host.Registry.Count;

        IReadOnlyList<ConfigError> errors = await running.TryApplyAsync(RunningHost.Document(
            RunningHost.Listener("a", $"127.0.0.1:{free}"), RunningHost.Listener("b", $"127.0.0.1:{taken}"), RunningHost.Listener("c", "192.0.2.1:80")));

        Assert.Equal([("listeners[1].address", "bind_failed"), ("listeners[2].address", "bind_failed")], errors.Select(e => (e.Path, e.Code)));
        Assert.Contains("in use by another process", errors[0].Message, StringComparison.Ordinal);
        Assert.Contains("not an address of this machine", errors[1].Message, StringComparison.Ordinal);
        Assert.Equal("v1", running.Host.Current!.Version);
        Assert.Equal(states, running.Host.Registry.Count);
        Assert.Equal(["web"], running.Host.Listeners().Select(l => l.Name));
        // What was bound is free again.
        await running.ApplyAsync(RunningHost.Listener("a", $"127.0.0.1:{free}"));
    }

    [Fact]
    public async Task ServersThatWereReplaced_AreCollected()
    {
        await using RunningHost running = new();
        List<WeakReference> servers = [];
        for (int i = 0; i < 20; i++) await ReplaceAsync(running, servers, i);
        await running.ApplyAsync(RunningHost.Listener());
        await Eventually.Until("all replaced servers are garbage", () =>
        {
            GC.Collect();
            return servers.TrueForAll(server => !server.IsAlive);
        });

        static async Task ReplaceAsync(RunningHost running, List<WeakReference> servers, int i)
        {
            await running.ApplyAsync(RunningHost.Listener() with { Limits = new() { HeaderCount = 50 + i } });
            await RawHttpClient.OnceAsync(running.Address(), Requests.Get.Replace("\r\n\r\n", "\r\nConnection: close\r\n\r\n", StringComparison.Ordinal));
            servers.Add(new WeakReference(running.Host.Servers.Running[0].Server));
        }
    }

    [Fact]
    public async Task AddressesThatOverlap_AreRefusedWithTheNameOfTheOther()
    {
        await using RunningHost running = new();
        int port = FreePort();
        ConfigError inDocument = Assert.Single(await running.TryApplyAsync(RunningHost.Document(
            RunningHost.Listener("all", $"0.0.0.0:{port}"), RunningHost.Listener("one", $"127.0.0.1:{port}"))));
        Assert.Contains("listener 'all' in the same document", inDocument.Message, StringComparison.Ordinal);
        await running.ApplyAsync(RunningHost.Listener("all", $"0.0.0.0:{port}"));
        ConfigError running2 = Assert.Single(await running.TryApplyAsync(RunningHost.Document(RunningHost.Listener("one", $"127.0.0.1:{port}"))));
        Assert.Contains("which the running listener 'all' holds", running2.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task ListenersThatSwapTheirNames_KeepTheirSockets()
    {
        await using RunningHost running = new();
        string first = $"127.0.0.1:{FreePort()}", second = $"127.0.0.1:{FreePort()}";
        await running.ApplyAsync(RunningHost.Listener("a", first), RunningHost.Listener("b", second));
        await running.ApplyAsync(RunningHost.Listener("b", first), RunningHost.Listener("a", second));
        Assert.Equal("v2 b HTTP/1.1", (await RawHttpClient.OnceAsync(new Uri($"http://{first}/"), Requests.Get)).Text);
        Assert.Equal("v2 a HTTP/1.1", (await RawHttpClient.OnceAsync(new Uri($"http://{second}/"), Requests.Get)).Text);
    }

    private static int FreePort()
    {
        using Socket socket = new(SocketType.Stream, ProtocolType.Tcp);
        socket.Bind(new IPEndPoint(IPAddress.Loopback, 0));
        return ((IPEndPoint)socket.LocalEndPoint!).Port;
    }
}
