using System.Diagnostics;
using System.Globalization;
using System.Net;
using System.Net.Http.Headers;

namespace Gateway.Bench.Load;

/// <summary>
/// Calls of gRPC's two-way kind, many at once on each of several connections: a message is sent when the echo of the one before has come, so
/// that each passes the proxy by itself in both directions. h2load cannot: it sends a body without waiting for anything.
/// </summary>
internal sealed class GrpcLoad(Uri address, TimeSpan time)
{
    // Long enough that it is messages that count and not calls, short enough that calls begin and end all the time.
    private const int MessagesPerCall = 100;
    private const int MessageBytes = 100;

    private readonly byte[] _message = [0, 0, 0, 0, MessageBytes, .. Enumerable.Repeat((byte)'x', MessageBytes)];
    private readonly long _started = Stopwatch.GetTimestamp();
    private long _errors;

    /// <summary>Prints a line that <see cref="Measurement"/> reads.</summary>
    public static async Task<int> RunAsync(string url, int connections, int streams, int seconds)
    {
        var load = new GrpcLoad(new Uri(url), TimeSpan.FromSeconds(seconds));
        List<double>[] took = await Task.WhenAll(Enumerable.Range(0, connections).Select(_ => load.ConnectionAsync(streams)));
        double[] sorted = [.. took.SelectMany(static t => t).Order()];
        double Percentile(double share) => sorted.Length == 0 ? 0 : sorted[(int)((sorted.Length - 1) * share)];
        Console.WriteLine(string.Create(CultureInfo.InvariantCulture, $"{sorted.Length} messages, {load._errors} errors, p50 {Percentile(0.5):F3} ms, p99 {Percentile(0.99):F3} ms"));
        return 0;
    }

    private async Task<List<double>> ConnectionAsync(int streams)
    {
        using var client = new HttpMessageInvoker(new SocketsHttpHandler { UseProxy = false, ActivityHeadersPropagator = null });
        List<double>[] took = await Task.WhenAll(Enumerable.Range(0, streams).Select(_ => StreamAsync(client)));
        return [.. took.SelectMany(static t => t)];
    }

    private async Task<List<double>> StreamAsync(HttpMessageInvoker client)
    {
        var took = new List<double>();
        while (Stopwatch.GetElapsedTime(_started) < time)
        {
            try
            {
                if (!await CallAsync(client, took)) Interlocked.Increment(ref _errors);
            }
            catch (Exception e) when (e is HttpRequestException or IOException or OperationCanceledException)
            {
                Interlocked.Increment(ref _errors);
            }
        }
        return took;
    }

    /// <summary>False when the call did not end with status 0.</summary>
    private async Task<bool> CallAsync(HttpMessageInvoker client, List<double> took)
    {
        using var messages = new Messages();
        using var request = new HttpRequestMessage(HttpMethod.Post, address) { Version = HttpVersion.Version20, VersionPolicy = HttpVersionPolicy.RequestVersionExact, Content = messages };
        request.Headers.TE.Add(new TransferCodingWithQualityHeaderValue("trailers"));
        messages.Headers.ContentType = new MediaTypeHeaderValue("application/grpc");
        Task<HttpResponseMessage> answering = client.SendAsync(request, CancellationToken.None);
        // Whichever comes first: the stream to write to, or an answer that says no.
        if (await Task.WhenAny(messages.Opened, answering) != messages.Opened)
        {
            (await answering).Dispose();
            return false;
        }
        Stream to = await messages.Opened;
        byte[] echo = new byte[_message.Length];
        Stream? from = null;
        HttpResponseMessage? response = null;
        try
        {
            for (int i = 0; i < MessagesPerCall && Stopwatch.GetElapsedTime(_started) < time; i++)
            {
                long sent = Stopwatch.GetTimestamp();
                await to.WriteAsync(_message);
                await to.FlushAsync();
                response ??= await answering;
                from ??= await response.Content.ReadAsStreamAsync();
                await from.ReadExactlyAsync(echo);
                took.Add(Stopwatch.GetElapsedTime(sent).TotalMilliseconds);
            }
            messages.End();
            response ??= await answering;
            from ??= await response.Content.ReadAsStreamAsync();
            if (await from.ReadAsync(echo) != 0) return false;
            return response.TrailingHeaders.TryGetValues("grpc-status", out IEnumerable<string>? status) && status.Single() == "0";
        }
        finally
        {
            messages.End();
            response?.Dispose();
        }
    }

    private sealed class Messages : HttpContent
    {
        private readonly TaskCompletionSource<Stream> _opened = new(TaskCreationOptions.RunContinuationsAsynchronously);
        private readonly TaskCompletionSource _ended = new(TaskCreationOptions.RunContinuationsAsynchronously);

        public Task<Stream> Opened => _opened.Task;

        public void End() => _ended.TrySetResult();

        protected override async Task SerializeToStreamAsync(Stream stream, TransportContext? context)
        {
            // Nothing of the request is sent before the first flush.
            await stream.FlushAsync();
            _opened.SetResult(stream);
            await _ended.Task;
        }

        protected override bool TryComputeLength(out long length)
        {
            length = 0;
            return false;
        }
    }
}
