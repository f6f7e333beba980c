using System.Buffers;
using System.IO.Pipelines;
using System.Net;
using System.Net.Sockets;
using System.Text;
using Gateway.DataPlane.Transport;
using Gateway.TestKit;
using Microsoft.AspNetCore.Connections;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Http.Features;
using Microsoft.AspNetCore.Server.Kestrel.Https;
using Microsoft.Extensions.Logging.Abstractions;
using Xunit;

namespace Gateway.DataPlane.Tests.Transport;

public sealed class EpollTransportTests
{
    /// <summary>Answers with the method, the target and the whole body.</summary>
    private static async Task Echo(IFeatureCollection features)
    {
        var request = features.Get<IHttpRequestFeature>()!;
        var body = new MemoryStream();
        await request.Body.CopyToAsync(body);
        byte[] answer = Encoding.Latin1.GetBytes($"{request.Method} {request.RawTarget} {Encoding.Latin1.GetString(body.ToArray())}");
        features.Get<IHttpResponseFeature>()!.Headers.ContentLength = answer.Length;
        await features.Get<IHttpResponseBodyFeature>()!.Writer.WriteAsync(answer);
    }

    [Fact]
    public async Task A_request_is_read_wherever_it_is_split()
    {
        await using TransportHost host = await TransportHost.StartAsync(Echo);
        await using RawHttpClient client = await RawHttpClient.ConnectAsync(host.Address);
        byte[] request = "POST /x HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhello"u8.ToArray();
        for (int split = 1; split < request.Length; split++)
        {
            await client.SendAsync(request.AsMemory(0, split));
            await Task.Yield();
            await client.SendAsync(request.AsMemory(split));
            Assert.Equal("POST /x hello", (await client.ReadResponseAsync()).Text);
        }
    }

    [Fact]
    public async Task Bytes_that_are_put_back_are_read_first_by_who_comes_next()
    {
        await using TransportHost host = await TransportHost.StartAsync(Echo, configure: o => o.Use(next => async connection =>
        {
            PipeReader input = connection.Transport.Input;
            ReadResult read = await input.ReadAsync();
            byte[] taken = read.Buffer.ToArray();
            input.AdvanceTo(read.Buffer.End);
            ((EpollReader)input).PutBack(taken.AsSpan(taken.Length / 2));
            ((EpollReader)input).PutBack(taken.AsSpan(0, taken.Length / 2));
            await next(connection);
        }));
        await using RawHttpClient client = await RawHttpClient.ConnectAsync(host.Address);
        for (int i = 0; i < 3; i++) Assert.Equal($"GET /{i} ", (await client.RequestAsync($"GET /{i} HTTP/1.1\r\nHost: a\r\n\r\n")).Text);
    }

    [Fact]
    public async Task Pipelined_requests_are_answered_in_order()
    {
        await using TransportHost host = await TransportHost.StartAsync(Echo);
        await using RawHttpClient client = await RawHttpClient.ConnectAsync(host.Address);
        await client.SendAsync(string.Concat(Enumerable.Range(0, 500).Select(i => $"GET /{i} HTTP/1.1\r\nHost: a\r\n\r\n")));
        for (int i = 0; i < 500; i++) Assert.Equal($"GET /{i} ", (await client.ReadResponseAsync()).Text);
    }

    [Fact]
    public async Task A_large_upload_arrives_whole()
    {
        await using TransportHost host = await TransportHost.StartAsync(async features =>
        {
            PipeReader reader = features.Get<IRequestBodyPipeFeature>()!.Reader;
            long bytes = 0;
            uint hash = 17;
            while (true)
            {
                ReadResult read = await reader.ReadAsync();
                foreach (ReadOnlyMemory<byte> part in read.Buffer)
                {
                    bytes += part.Length;
                    foreach (byte b in part.Span) hash = hash * 31 + b;
                }
                reader.AdvanceTo(read.Buffer.End);
                if (read.IsCompleted) break;
            }
            byte[] answer = Encoding.ASCII.GetBytes($"{bytes} {hash}");
            await features.Get<IHttpResponseBodyFeature>()!.Writer.WriteAsync(answer);
        });
        var body = new byte[20_000_000];
        new Random(1).NextBytes(body);
        uint expected = 17;
        foreach (byte b in body) expected = expected * 31 + b;

        using var client = new HttpMessageInvoker(new SocketsHttpHandler());
        using HttpResponseMessage response = await client.SendAsync(
            new HttpRequestMessage(HttpMethod.Post, host.Address) { Content = new ByteArrayContent(body) }, CancellationToken.None);

        Assert.Equal($"{body.Length} {expected}", await response.Content.ReadAsStringAsync());
    }

    [Fact]
    public async Task A_slow_reader_holds_the_writer_back_and_gets_everything()
    {
        const int total = 64 << 20;
        long written = 0;
        await using TransportHost host = await TransportHost.StartAsync(async features =>
        {
            features.Get<IHttpResponseFeature>()!.Headers.ContentLength = total;
            PipeWriter writer = features.Get<IHttpResponseBodyFeature>()!.Writer;
            for (int sent = 0; sent < total; sent += 65536)
            {
                writer.GetMemory(65536).Span[..65536].Fill((byte)(sent >> 16));
                writer.Advance(65536);
                await writer.FlushAsync();
                Volatile.Write(ref written, sent + 65536);
            }
        });
        await using RawHttpClient client = await RawHttpClient.ConnectAsync(host.Address);
        await client.SendAsync("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
        long before = -1;
        await Eventually.Until("the writer stands still because the kernel's buffers are full", async () =>
        {
            await Task.Delay(50);
            long now = Volatile.Read(ref written);
            bool still = now == before && now > 0;
            before = now;
            return still;
        });
        Assert.InRange(Volatile.Read(ref written), 1, 16 << 20);

        RawResponse response = await client.ReadResponseAsync();

        Assert.Equal(total, response.Body.Length);
        for (int i = 0; i < total; i += 65536) Assert.Equal((byte)(i >> 16), response.Body[i]);
    }

    [Fact]
    public async Task A_client_that_goes_while_it_is_served_is_noticed()
    {
        foreach (bool reset in (bool[])[true, false])
        {
            var arrived = new TaskCompletionSource();
            var aborted = new TaskCompletionSource();
            await using TransportHost host = await TransportHost.StartAsync(async features =>
            {
                CancellationToken gone = features.Get<IHttpRequestLifetimeFeature>()!.RequestAborted;
                using CancellationTokenRegistration _ = gone.Register(() => aborted.TrySetResult());
                arrived.TrySetResult();
                await aborted.Task;
            });
            RawHttpClient client = await RawHttpClient.ConnectAsync(host.Address);
            await client.SendAsync("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
            await Eventually.Within("the request arrives", arrived.Task);

            if (reset) client.Reset();
            else await client.DisposeAsync();

            await Eventually.Within("the application is told", aborted.Task);
            await Eventually.Until("its socket is closed", () => host.OpenConnections == 0);
        }
    }

    [Fact]
    public async Task An_aborted_response_never_ends_cleanly()
    {
        await using TransportHost host = await TransportHost.StartAsync(async features =>
        {
            PipeWriter writer = features.Get<IHttpResponseBodyFeature>()!.Writer;
            await writer.WriteAsync("some of it"u8.ToArray());
            features.Get<IHttpRequestLifetimeFeature>()!.Abort();
        });
        RawResponse response = await RawHttpClient.OnceAsync(host.Address, "GET / HTTP/1.1\r\nHost: a\r\n\r\n");
        Assert.False(response.IsWhole);
    }

    [Fact]
    public async Task An_answer_to_an_upload_that_nobody_reads_still_reaches_the_client()
    {
        await using TransportHost host = await TransportHost.StartAsync(features =>
        {
            var response = features.Get<IHttpResponseFeature>()!;
            response.StatusCode = 413;
            response.Headers.Connection = "close";
            return Task.CompletedTask;
        });
        for (int i = 0; i < 20; i++)
        {
            await using RawHttpClient client = await RawHttpClient.ConnectAsync(host.Address);
            await client.SendAsync("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 3000000\r\n\r\n");
            try
            {
                for (int k = 0; k < 30; k++) await client.SendAsync(new byte[50_000]);
            }
            catch (IOException)
            {
                // The server may have stopped listening; the answer must be there all the same.
            }
            Assert.Equal(413, (await client.ReadResponseAsync()).Status);
        }
    }

    [Fact]
    public async Task Thousands_of_connections_leave_no_socket_behind()
    {
        await using TransportHost host = await TransportHost.StartAsync(Echo);
        for (int round = 0; round < 20; round++)
        {
            await Task.WhenAll(Enumerable.Range(0, 100).Select(async i =>
            {
                await using RawHttpClient client = await RawHttpClient.ConnectAsync(host.Address);
                switch (i % 4)
                {
                    case 0: break;
                    case 1: await client.SendAsync("GET / HT"); break;
                    case 2: client.Reset(); break;
                    default: Assert.Equal(200, (await client.RequestAsync("GET / HTTP/1.1\r\nHost: a\r\n\r\n")).Status); break;
                }
            }));
        }
        await Eventually.Until("every socket is closed", () => host.OpenConnections == 0);
    }

    [Fact]
    public async Task Every_loop_gets_connections()
    {
        await using TransportHost host = await TransportHost.StartAsync(Echo, loops: 2);
        var clients = new List<RawHttpClient>();
        for (int i = 0; i < 64; i++)
        {
            clients.Add(await RawHttpClient.ConnectAsync(host.Address));
            Assert.Equal(200, (await clients[i].RequestAsync("GET / HTTP/1.1\r\nHost: a\r\n\r\n")).Status);
        }
        Assert.All(host.Transport.Loops, loop => Assert.InRange(loop.OpenSockets, 5, 60));
        foreach (RawHttpClient client in clients) await client.DisposeAsync();
    }

    [Fact]
    public async Task An_address_in_use_is_refused_even_when_the_other_would_share_it()
    {
        await using TransportHost host = await TransportHost.StartAsync(Echo, loops: 2);
        using var second = new EpollTransport(2, NullLogger.Instance);
        await Assert.ThrowsAsync<AddressInUseException>(async () => await second.BindAsync(host.EndPoint));
    }

    [Fact]
    public async Task A_dual_stack_listener_serves_both_families_and_names_the_client_plainly()
    {
        await using TransportHost host = await TransportHost.StartAsync(
            async features => await features.Get<IHttpResponseBodyFeature>()!.Writer.WriteAsync(
                Encoding.ASCII.GetBytes($"{features.Get<IHttpConnectionFeature>()!.RemoteIpAddress} {features.Get<IHttpConnectionFeature>()!.LocalPort}")),
            endPoint: new IPEndPoint(IPAddress.IPv6Any, 0));
        int port = host.Address.Port;
        Assert.Equal($"127.0.0.1 {port}", (await RawHttpClient.OnceAsync(host.Address, "GET / HTTP/1.0\r\nHost: a\r\n\r\n")).Text);
        Assert.SkipUnless(Socket.OSSupportsIPv6, "this machine has no IPv6 loopback");
        Assert.Equal($"::1 {port}", (await RawHttpClient.OnceAsync(new Uri($"http://[::1]:{port}"), "GET / HTTP/1.0\r\nHost: a\r\n\r\n")).Text);
    }

    [Fact]
    public async Task A_Unix_socket_is_served()
    {
        using var folder = new TempFolder();
        string path = folder["s.sock"];
        await using TransportHost host = await TransportHost.StartAsync(Echo, endPoint: new UnixDomainSocketEndPoint(path));
        await using RawHttpClient client = await RawHttpClient.ConnectUnixAsync(path);
        Assert.Equal("GET /u ", (await client.RequestAsync("GET /u HTTP/1.1\r\nHost: a\r\n\r\n")).Text);
    }

    [Fact]
    public async Task TLS_with_HTTP_2_and_many_streams_at_once_works()
    {
        using var folder = new TempFolder();
        var certificates = new TestCertificates(folder.Root);
        await using TransportHost host = await TransportHost.StartAsync(
            Echo, configure: o => o.UseHttps(new HttpsConnectionAdapterOptions { ServerCertificate = certificates.Server("site", "localhost").Certificate }));
        using var handler = new SocketsHttpHandler { SslOptions = { RemoteCertificateValidationCallback = (_, _, _, _) => true } };
        using var client = new HttpMessageInvoker(handler);
        var address = new Uri($"https://localhost:{host.Address.Port}/");
        byte[] body = new byte[100_000];
        Array.Fill(body, (byte)'x');
        await Task.WhenAll(Enumerable.Range(0, 100).Select(async i =>
        {
            using HttpResponseMessage response = await client.SendAsync(
                new HttpRequestMessage(HttpMethod.Post, new Uri(address, i.ToString())) { Version = HttpVersion.Version20, VersionPolicy = HttpVersionPolicy.RequestVersionExact, Content = new ByteArrayContent(body) },
                CancellationToken.None);
            Assert.Equal($"POST /{i} ".Length + body.Length, (await response.Content.ReadAsByteArrayAsync()).Length);
        }));
    }

    private sealed class CountingWatcher : IDepartureWatcher
    {
        public int Gone { get; private set; }
        public int Released { get; private set; }

        public void OnPeerGone() => Gone++;

        public void OnReleased() => Released++;
    }

    [Fact]
    public async Task A_connection_is_released_once_though_who_waits_for_its_end_disposes_of_it()
    {
        using var transport = new EpollTransport(1, NullLogger.Instance);
        await using IConnectionListener listener = await transport.BindAsync(new IPEndPoint(IPAddress.Loopback, 0));
        using var client = new TcpClient();
        await client.ConnectAsync((IPEndPoint)listener.EndPoint);
        var connection = (EpollConnection)(await listener.AcceptAsync())!;
        var watcher = new CountingWatcher();
        await connection.Loop.Switch();
        connection.Watcher = watcher;
        const int much = 16 << 20;
        _ = connection.Output.GetMemory(much);
        connection.Output.Advance(much);
        ValueTask<FlushResult> flush = connection.Output.FlushAsync();
        Assert.False(flush.IsCompleted);
        Task disposed = DisposeAfterAsync();
        connection.Abort(new ConnectionAbortedException("test"));
        await Eventually.Within("the disposal", disposed);
        Assert.Equal((1, 1), (watcher.Released, watcher.Gone));

        async Task DisposeAfterAsync()
        {
            Assert.True((await flush).IsCompleted);
            await connection.DisposeAsync();
        }
    }
}
