using System.Collections.Concurrent;
using System.IO.Pipelines;
using System.Text;
using Gateway.DataPlane.Proxy.Direct;
using Gateway.DataPlane.Transport;
using Microsoft.AspNetCore.Connections;
using Xunit;

namespace Gateway.DataPlane.Tests.Proxy;

/// <summary>A client on a loop without a socket: a test says when it takes what was flushed, and sees how it was written.</summary>
internal sealed class ScriptedClient : PipeWriter, IDuplexPipe, ILoopFeature
{
    private readonly Pipe _requests = new(new PipeOptions(readerScheduler: PipeScheduler.Inline));
    private readonly ConcurrentQueue<(int Hint, EventLoop? On)> _asked = new();
    private readonly ConcurrentQueue<EventLoop?> _flushedOn = new();
    private readonly MemoryStream _written = new();
    private Memory<byte> _lent;
    private long _unflushed;

    public ScriptedClient(EventLoop loop) => Loop = loop;

    public EventLoop Loop { get; }
    public bool IsPeerGone => false;
    public object[] Touched { get; set; } = [];
    public IDepartureWatcher? Watcher { get; set; }
    public PipeReader Input => _requests.Reader;
    public PipeWriter Output => this;

    /// <summary>How much memory was asked for, each time.</summary>
    public IReadOnlyList<int> Hints => [.. _asked.Select(static a => a.Hint)];

    /// <summary>The loop on whose thread each flush was; null for none.</summary>
    public IReadOnlyList<EventLoop?> FlushedOn => [.. _flushedOn];

    /// <summary>What a flush waits for; null: the client takes all at once.</summary>
    public Func<Task<FlushResult>>? OnFlush { get; set; }

    public string Written
    {
        get { lock (_written) return Encoding.Latin1.GetString(_written.ToArray()); }
    }

    /// <summary>Serves this client by the short way, on its loop, until the connection ends.</summary>
    public Task ServeAsync(ProxyHost proxy)
    {
        var connection = new DefaultConnectionContext("test", this, this);
        connection.Features.Set<ILoopFeature>(this);
        var direct = new DirectHttp1(static _ => throw new InvalidOperationException("handed over"), proxy.Application, proxy.Application, TimeSpan.FromMinutes(1), TimeProvider.System);
        return direct.OnConnectionAsync(connection);
    }

    public async Task SendAsync(string request) => await _requests.Writer.WriteAsync(Encoding.Latin1.GetBytes(request));

    /// <summary>No request follows.</summary>
    public void End() => _requests.Writer.Complete();

    public override bool CanGetUnflushedBytes => true;
    public override long UnflushedBytes => _unflushed;

    public override Memory<byte> GetMemory(int sizeHint = 0)
    {
        _asked.Enqueue((sizeHint, EventLoop.Current));
        return _lent = new byte[Math.Max(sizeHint, 1)];
    }

    public override Span<byte> GetSpan(int sizeHint = 0) => GetMemory(sizeHint).Span;

    public override void Advance(int bytes)
    {
        lock (_written) _written.Write(_lent.Span[..bytes]);
        _unflushed += bytes;
    }

    public override async ValueTask<FlushResult> FlushAsync(CancellationToken cancellationToken = default)
    {
        _flushedOn.Enqueue(EventLoop.Current);
        _unflushed = 0;
        return OnFlush is { } wait ? await wait() : default;
    }

    public override void CancelPendingFlush()
    {
    }

    public override void Complete(Exception? exception = null)
    {
    }
}
