using System.Net;
using Gateway.Config;
using Gateway.DataPlane.Runtime;
using Gateway.DataPlane.Server;
using Gateway.TestKit;
using Xunit;

namespace Gateway.DataPlane.Tests.Server;

public sealed class ConnectionLimitTests
{
    [Theory]
    [InlineData(2, 0)]
    [InlineData(0, 2)]
    public async Task ConnectionBeyondTheLimit_IsClosedAtOnce_AndThoseAtTheLimitAreServed(int connections, int perAddress)
    {
        await using RunningHost running = new();
        await running.ApplyAsync(Limited(connections, perAddress));
        await using RawHttpClient first = await running.ConnectAsync();
        RawHttpClient second = await running.ConnectAsync();
        Assert.Equal(200, (await first.RequestAsync(Requests.Get)).Status);
        Assert.Equal(200, (await second.RequestAsync(Requests.Get)).Status);
        Assert.Equal(2, running.Status().Connections);

        await using (RawHttpClient third = await running.ConnectAsync()) Assert.Equal("", (await third.ReadEndAsync()).Remainder);

        await second.DisposeAsync();
        await Eventually.Until("the second connection is counted out", () => running.Status().Connections == 1);
        await using RawHttpClient fourth = await running.ConnectAsync();
        Assert.Equal(200, (await fourth.RequestAsync(Requests.Get)).Status);
    }

    [Theory]
    [InlineData(TransportKind.Auto)]
    [InlineData(TransportKind.Sockets)]
    public async Task WhileTheGateIsClosed_NobodyIsAccepted_AndAListenerCanBeRemoved(TransportKind transport)
    {
        await using RunningHost running = new(transport);
        await running.ApplyAsync(RunningHost.Listener(), RunningHost.Listener("other"));
        await using RawHttpClient before = await running.ConnectAsync();
        Assert.Equal(200, (await before.RequestAsync(Requests.Get)).Status);
        Assert.True(running.Host.Gate.Set(closed: true));
        await using RawHttpClient waiting = await running.ConnectAsync(), left = await running.ConnectAsync("other");
        await waiting.SendAsync(Requests.Get);
        await left.SendAsync(Requests.Get);
        Task<RawResponse> answer = waiting.ReadResponseAsync();
        for (int i = 0; i < 20; i++) Assert.Equal(200, (await before.RequestAsync(Requests.Get)).Status);
        Assert.Equal((1, 0), (running.Status().Connections, running.Status("other").Connections));
        Assert.False(answer.IsCompleted);
        // Whoever the system has connected is served, as at every removal.
        await Eventually.Within("the listener's removal", running.ApplyAsync(RunningHost.Listener()));
        Assert.Equal(200, (await left.ReadResponseAsync()).Status);
        Assert.True(running.Host.Gate.Set(closed: false));
        Assert.Equal(200, (await Eventually.Within("who waited is served", answer)).Status);
    }

    [Fact]
    public async Task LimitThatChanges_AppliesToTheNextConnection_OnTheSameServer()
    {
        await using RunningHost running = new();
        await running.ApplyAsync(Limited(1, 0));
        await using RawHttpClient first = await running.ConnectAsync();
        await first.RequestAsync(Requests.Get);

        await running.ApplyAsync(Limited(2, 0));

        await using RawHttpClient second = await running.ConnectAsync();
        Assert.Equal(200, (await second.RequestAsync(Requests.Get)).Status);
        RawResponse kept = await first.RequestAsync(Requests.Get);
        Assert.Null(kept["Connection"]);
    }

    [Fact]
    public async Task ConnectionsThatDrain_CountForTheListener()
    {
        await using RunningHost running = new();
        await running.ApplyAsync(Limited(1, 0));
        await using RawHttpClient tunnel = await running.ConnectAsync();
        await tunnel.SendAsync(Requests.Upgrade);
        await tunnel.ReadHeadAsync();

        await running.ApplyAsync(Limited(1, 0) with { Http2 = false });

        Assert.Equal(1, running.Status().Connections);
        await using RawHttpClient beyond = await running.ConnectAsync();
        Assert.Equal("", (await beyond.ReadEndAsync()).Remainder);
    }

    [Theory]
    [InlineData(1024, 384)]
    [InlineData(1_048_576, 524_160)]
    [InlineData(100, 12)]
    [InlineData(3, 1)]
    [InlineData(long.MaxValue, int.MaxValue)]
    public void DescriptorsOfTheProcess_LeaveRoomForUpstreamsAndFiles(long descriptors, int connections) =>
        Assert.Equal(connections, ConnectionBudget.LimitFor(descriptors));

    [Fact]
    public void AClientOfIPv6_IsItsNetwork_OnALinkItself()
    {
        ConnectionCount count = new();
        bool Enter(string address) => count.TryEnterAddress(IPAddress.Parse(address), 1);
        Assert.True(Enter("2001:db8:0:1::1"));
        Assert.False(Enter("2001:db8:0:1:ffff::2"));
        Assert.True(Enter("2001:db8:0:2::1"));
        Assert.True(Enter("fe80::1"));
        Assert.True(Enter("fe80::2"));
        Assert.True(Enter("192.0.2.1"));
        Assert.False(Enter("::ffff:192.0.2.1"));
        Assert.True(Enter("192.0.2.2"));
        count.LeaveAddress(IPAddress.Parse("2001:db8:0:1:ffff::2"));
        Assert.True(Enter("2001:db8:0:1::3"));
        Assert.Equal(2, count.RefusedByAddress);
    }

    [Fact]
    public void Budget_GivesItsLimit_AndNotOneMore()
    {
        ConnectionBudget budget = new(2);
        Assert.True(budget.TryTake() && budget.TryTake());
        Assert.False(budget.TryTake());
        budget.Return();
        Assert.True(budget.TryTake());
    }

    private static ListenerConfig Limited(int connections, int perAddress) =>
        RunningHost.Listener() with { Limits = new() { Connections = connections, ConnectionsPerAddress = perAddress } };
}
