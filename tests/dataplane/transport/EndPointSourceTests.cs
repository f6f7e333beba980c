using System.Collections.Concurrent;
using System.Net;
using System.Net.Sockets;
using Gateway.DataPlane.Transport;
using Xunit;

namespace Gateway.DataPlane.Tests.Transport;

public sealed class EndPointSourceTests
{
    private readonly ConcurrentQueue<TaskCompletionSource<IPAddress[]>> _asked = new();

    private EndPointSource Source(string address = "origin.test:81") => new(address, host =>
    {
        Assert.Equal("origin.test", host);
        var answer = new TaskCompletionSource<IPAddress[]>(TaskCreationOptions.RunContinuationsAsynchronously);
        _asked.Enqueue(answer);
        return answer.Task;
    });

    private static readonly EndPoint[] Expected = [new IPEndPoint(IPAddress.Parse("192.0.2.1"), 81), new IPEndPoint(IPAddress.Parse("192.0.2.2"), 81)];

    private static readonly IPAddress[] Answer = [IPAddress.Parse("192.0.2.1"), IPAddress.Parse("192.0.2.2")];

    [Theory]
    [InlineData("192.0.2.1:80", "192.0.2.1:80")]
    [InlineData("[2001:db8::1]:80", "[2001:db8::1]:80")]
    [InlineData("unix:/run/o.sock", "/run/o.sock")]
    public void AnAddress_NeedsNoQuestion(string address, string endPoint) => Assert.Equal(endPoint, new EndPointSource(address, _ => throw new InvalidOperationException("asked")).Fixed!.ToString());

    [Fact]
    public async Task ABurstOfConnects_AsksOnce()
    {
        EndPointSource source = Source();
        Task<EndPoint[]>[] burst = [.. Enumerable.Range(0, 50).Select(_ => source.ResolveAsync(CancellationToken.None).AsTask())];
        Assert.Single(_asked).SetResult(Answer);
        foreach (EndPoint[] found in await Task.WhenAll(burst)) Assert.Equal(Expected, found);
        // And for a while what was answered holds.
        Assert.Equal(Expected, await source.ResolveAsync(CancellationToken.None));
        Assert.Single(_asked);
    }

    [Fact]
    public async Task WhoGivesUp_TakesTheAnswerFromNobody()
    {
        EndPointSource source = Source();
        using var leaves = new CancellationTokenSource();
        Task<EndPoint[]> gone = source.ResolveAsync(leaves.Token).AsTask(), stays = source.ResolveAsync(CancellationToken.None).AsTask();
        await leaves.CancelAsync();
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => gone);
        Assert.Single(_asked).SetResult(Answer);
        Assert.Equal(Expected, await stays);
    }

    [Fact]
    public async Task AFailure_IsToldToAllWhoWait_AndTheNextAsksAgain()
    {
        EndPointSource source = Source();
        Task<EndPoint[]>[] burst = [.. Enumerable.Range(0, 3).Select(_ => source.ResolveAsync(CancellationToken.None).AsTask())];
        Assert.Single(_asked).SetException(new SocketException((int)SocketError.HostNotFound));
        foreach (Task<EndPoint[]> one in burst) await Assert.ThrowsAsync<SocketException>(() => one);
        Task<EndPoint[]> again = source.ResolveAsync(CancellationToken.None).AsTask();
        Assert.Equal(2, _asked.Count);
        _asked.Last().SetResult(Answer);
        Assert.Equal(Expected, await again);
    }
}
