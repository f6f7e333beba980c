using System.IO.Pipelines;
using System.Text;
using Gateway.DataPlane.Transport;
using Gateway.TestKit;
using Microsoft.AspNetCore.Connections;
using Microsoft.AspNetCore.Http.Features;
using Xunit;

namespace Gateway.DataPlane.Tests.Transport;

/// <summary>A connection on a loop may be somebody else's for a while, or for good: another protocol's state machine, a tunnel.</summary>
public sealed class ChangingHandsTests
{
    /// <summary>Echoes lines on the bare socket until one says <c>http</c>, and then hands over what came behind it.</summary>
    private sealed class LineEcho(LoopSocket socket) : SocketEvents
    {
        private readonly List<byte> _bytes = [];

        public TaskCompletionSource<byte[]?> Done { get; } = new();

        public override void OnEvents(uint events)
        {
            Span<byte> buffer = stackalloc byte[4096];
            int n;
            while ((n = socket.Receive(buffer)) > 0)
            {
                _bytes.AddRange(buffer[..n]);
                for (int end; (end = _bytes.IndexOf((byte)'\n')) >= 0;)
                {
                    byte[] line = [.. _bytes[..(end + 1)]];
                    _bytes.RemoveRange(0, end + 1);
                    if (line.AsSpan().SequenceEqual("http\n"u8))
                    {
                        Done.TrySetResult([.. _bytes]);
                        return;
                    }
                    Assert.Equal(line.Length, socket.Send(line));
                }
            }
            if (n != LoopSocket.Again) Done.TrySetResult(null);
        }

        public override void OnLost(Exception? fault) => Done.TrySetResult(null);
    }

    private static Task<TransportHost> StartAsync(Action<bool>? onEnd = null) => TransportHost.StartAsync(
        features => features.Get<IHttpResponseBodyFeature>()!.Writer.WriteAsync(Encoding.ASCII.GetBytes(features.Get<IHttpRequestFeature>()!.RawTarget)).AsTask(),
        configure: o => o.Use(next => async context =>
        {
            var connection = (EpollConnection)context;
            SocketEvents kestrels = connection.Socket.Sink;
            var echo = new LineEcho(connection.Socket);
            connection.Socket.Sink = echo;
            // Edge-triggered: what came before the change was announced to the one before.
            echo.OnEvents(Libc.EpollIn);
            byte[]? behind = await echo.Done.Task;
            Assert.Same(connection.Loop, EventLoop.Current);
            onEnd?.Invoke(behind is not null);
            if (behind is null) return;
            connection.Socket.Sink = kestrels;
            ((EpollReader)connection.Input).PutBack(behind);
            await next(context);
        }));

    [Fact]
    public async Task Another_handler_takes_the_socket_and_gives_it_back_to_Kestrel_with_the_bytes_it_has_read()
    {
        await using TransportHost host = await StartAsync();
        await using RawHttpClient client = await RawHttpClient.ConnectAsync(host.Address);
        await client.SendAsync("one\ntw");
        Assert.Equal("one\n"u8.ToArray(), await client.ReadAsync(4));
        await client.SendAsync("o\n");
        Assert.Equal("two\n"u8.ToArray(), await client.ReadAsync(4));
        // The handover in the middle of a piece, and of a request.
        await client.SendAsync("http\nGET /a HTTP/1.1\r\nHo");
        await client.SendAsync("st: a\r\n\r\n");
        Assert.Equal("/a", (await client.ReadResponseAsync()).Text);
        Assert.Equal("/b", (await client.RequestAsync("GET /b HTTP/1.1\r\nHost: a\r\n\r\n")).Text);
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task The_other_handler_is_told_of_the_end_and_the_socket_is_closed_behind_it(bool reset)
    {
        var ended = new TaskCompletionSource<bool>(TaskCreationOptions.RunContinuationsAsynchronously);
        await using TransportHost host = await StartAsync(ended.SetResult);
        await using (RawHttpClient client = await RawHttpClient.ConnectAsync(host.Address))
        {
            await client.SendAsync("one\n");
            Assert.Equal("one\n"u8.ToArray(), await client.ReadAsync(4));
            if (reset) client.Reset();
        }
        Assert.False(await Eventually.Within("the handler is told", ended.Task));
        await Eventually.Until("the socket is closed", () => host.OpenConnections == 0);
    }
}
