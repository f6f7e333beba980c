using System.IO.Pipelines;
using System.Runtime.CompilerServices;
using Gateway.DataPlane.Proxy.Direct;
using Gateway.DataPlane.Proxy.Http1;
using Gateway.DataPlane.Runtime;
using Gateway.DataPlane.Transport;

namespace Gateway.DataPlane.Proxy;

/// <summary>Large bodies from one socket to another without a copy of them in this process.</summary>
internal static partial class ResponseBodyCopier
{
    // Below this, two system calls more cost as much as the copies that they save.
    private const int SpliceFrom = 32 * 1024;

    /// <summary>Moves the rest of the body: 1. fill the pipe from the upstream, or wait for it; 2. empty it to the client, or wait for that.</summary>
    [AsyncMethodBuilder(typeof(LoopTaskMethodBuilder<>))]
    private static async ValueTask<CopyOutcome> SpliceAsync(Http1Response source, Exchange exchange, DirectBody body, EpollWriter client, SplicePipe pipe)
    {
        RequestDeadline deadline = exchange.Deadline;
        int inARow = 0;
        try
        {
            while (pipe.Held != 0 || !source.BodyEnded)
            {
                if (pipe.Held == 0)
                {
                    if (source.TrySplice(pipe, out int read)) exchange.Context.ResponseBytes += read;
                    else
                    {
                        // Where it cannot be done at all, the rest goes by copying.
                        if (source.MayRead) return await CopyPlainAsync(source, exchange);
                        deadline.Moved();
                        _ = await source.WaitAsync();
                        continue;
                    }
                }
                int sent = client.TrySplice(pipe);
                if (sent > 0) body.Took(sent);
                else if (sent != LoopSocket.Again || !await MayGoOnAsync(client, deadline)) return CopyOutcome.ClientGone;
                if (deadline.Reason != ErrorCategory.None) throw new OperationCanceledException();
                if (++inARow != MostFlushes) continue;
                inARow = 0;
                await source.Loop.Yield();
            }
            return CopyOutcome.Complete;
        }
        finally
        {
            pipe.Return();
        }
    }

    [AsyncMethodBuilder(typeof(LoopTaskMethodBuilder<>))]
    private static async ValueTask<bool> MayGoOnAsync(EpollWriter client, RequestDeadline deadline)
    {
        deadline.WaitFor(Party.Client);
        FlushResult result = await client.WaitAsync(deadline.Token);
        deadline.WaitFor(Party.Upstream);
        return !result.IsCompleted && !result.IsCanceled;
    }

    private static CopyOutcome Give(SplicePipe pipe)
    {
        pipe.Return();
        return CopyOutcome.ClientGone;
    }
}
