using System.Buffers;
using System.Runtime.CompilerServices;
using System.Threading.Tasks.Sources;
using Gateway.DataPlane.Proxy;
using Gateway.DataPlane.Proxy.Direct;
using Gateway.DataPlane.Proxy.Http1;
using Gateway.DataPlane.Tests.Transport;
using Gateway.DataPlane.Transport;
using Gateway.TestKit;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.Primitives;
using Xunit;

namespace Gateway.DataPlane.Tests.Proxy;

/// <summary>Section "dataplane" of bench/budgets.json: the pieces that an HTTP/1.1 request goes through, each as in the middle of a busy connection.</summary>
public sealed class HotPathAllocationTests
{
    private const int Times = 10_000;

    [Fact]
    public void EachPieceOfTheHotPath_StaysInItsBudget_AndHasOne()
    {
        Assert.SkipWhen(LeakTracker.Running is not null, "to remember who took a buffer allocates");
        OwnThread.Run(static () =>
        {
            LoopBuffers.Attach();
            Assert.Equal("", AllocationBudget.Violations("dataplane", Operations()));
        });
    }

    private static IEnumerable<(string Name, int Times, Action Run)> Operations()
    {
        byte[][] rented = new byte[64][];
        yield return ("LoopBuffers.64", Times / 10, () =>
        {
            for (int i = 0; i < rented.Length; i++) rented[i] = LoopBuffers.Rent(4096 << (i % 6));
            foreach (byte[] buffer in rented) LoopBuffers.Return(buffer);
        }
        );

        var signal = new Signal();
        yield return ("LoopTaskMethodBuilder", Times, () =>
        {
            ValueTask task = WaitAsync(signal);
            signal.End();
            task.GetAwaiter().GetResult();
        }
        );
        yield return ("LoopTaskMethodBuilder.OfResult", Times, () =>
        {
            ValueTask<int> task = NestAsync(4, signal);
            signal.End();
            _ = task.GetAwaiter().GetResult();
        }
        );

        var timers = new LoopTimers(0);
        var timer = new Timer();
        yield return ("LoopTimers.SetAndClear", Times, () =>
        {
            timers.Set(timer, 5000);
            timers.Clear(timer);
        }
        );

        var pool = new BlockPool();
        var blocks = new IMemoryOwner<byte>[64];
        yield return ("BlockPool.64", Times / 10, () =>
        {
            for (int i = 0; i < blocks.Length; i++) blocks[i] = pool.Rent();
            foreach (IMemoryOwner<byte> rentedBlock in blocks) rentedBlock.Dispose();
        }
        );

        byte[] name = "x-request-cost"u8.ToArray(), value = "4711"u8.ToArray();
        yield return ("HeaderText.Known", Times, () =>
        {
            _ = HeaderText.OfThread.OfName(name, out _, out _);
            _ = HeaderText.OfThread.Of(value);
        }
        );

        FieldTable table = [];
        yield return ("FieldTable.Fill", Times, () =>
        {
            for (int i = 0; i < 12; i++) table.Append("Accept", "*/*");
            table.Clear();
        }
        );

        var fields = new RequestFields();
        var headers = new ServerHeaders { ["Host"] = "a.test", ["Accept"] = "*/*", ["User-Agent"] = "test", ["X-Mine"] = "1" };
        yield return ("RequestFields.Same", Times, () => fields.Read(headers));

        byte[] head = new byte[300];
        var block = new UpstreamFieldBlock();
        yield return ("UpstreamFieldBlock.Same", Times, () =>
        {
            if (!block.TryGet(fields.Version, "HTTP/1.1", "http", "192.0.2.1", false, out _)) block.Offer(fields.Version, "HTTP/1.1", "http", "192.0.2.1", false, head);
        }
        );

        var deadline = new RequestDeadline(TimeProvider.System);
        yield return ("RequestDeadline.Request", Times, () =>
        {
            long now = TimeProvider.System.GetTimestamp();
            deadline.Begin(now, TimeSpan.FromSeconds(60));
            deadline.BeginAttempt(now, TimeSpan.FromSeconds(30));
            deadline.EndAttempt();
            deadline.WatchIdle(now, TimeSpan.FromSeconds(30));
            deadline.WaitFor(Party.Client);
            deadline.End();
        }
        );
    }

    [AsyncMethodBuilder(typeof(LoopTaskMethodBuilder))]
    private static async ValueTask WaitAsync(Signal signal) => await signal.Task;

    [AsyncMethodBuilder(typeof(LoopTaskMethodBuilder<>))]
    private static async ValueTask<int> NestAsync(int depth, Signal signal)
    {
        if (depth > 0) return 1 + await NestAsync(depth - 1, signal);
        await signal.Task;
        return 0;
    }

    private sealed class Timer : LoopTimer
    {
        public override void OnDue()
        {
        }
    }

    /// <summary>As the server's own: enumerated without a new enumerator for each request.</summary>
    private sealed class ServerHeaders : HeaderDictionary, IEnumerable<KeyValuePair<string, StringValues>>
    {
        private IEnumerator<KeyValuePair<string, StringValues>>? _kept;

        IEnumerator<KeyValuePair<string, StringValues>> IEnumerable<KeyValuePair<string, StringValues>>.GetEnumerator()
        {
            if (_kept is null)
            {
                List<KeyValuePair<string, StringValues>> fields = [];
                for (Enumerator own = GetEnumerator(); own.MoveNext();) fields.Add(own.Current);
                _kept = fields.AsEnumerable().GetEnumerator();
            }
            _kept.Reset();
            return _kept;
        }
    }

    /// <summary>What a method waits for, such as bytes of a socket.</summary>
    private sealed class Signal : IValueTaskSource
    {
        private ManualResetValueTaskSourceCore<bool> _core;

        public ValueTask Task => new(this, _core.Version);

        public void End() => _core.SetResult(true);

        public void GetResult(short token)
        {
            _ = _core.GetResult(token);
            _core.Reset();
        }

        public ValueTaskSourceStatus GetStatus(short token) => _core.GetStatus(token);

        public void OnCompleted(Action<object?> continuation, object? state, short token, ValueTaskSourceOnCompletedFlags flags) => _core.OnCompleted(continuation, state, token, flags);
    }
}
