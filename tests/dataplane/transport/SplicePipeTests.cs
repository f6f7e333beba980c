using Gateway.DataPlane.Transport;
using Gateway.TestKit;
using Microsoft.Extensions.Logging.Abstractions;
using Xunit;

namespace Gateway.DataPlane.Tests.Transport;

public sealed class SplicePipeTests
{
    [Fact]
    public async Task WhatALoopNeedsNoMore_ItCloses_AndWhatItNeedsItKeeps()
    {
        var loop = new EventLoop("test", NullLogger.Instance);
        loop.Start();
        try
        {
            await loop.Switch();
            SplicePipe[] pipes = [.. Enumerable.Range(0, 5).Select(static _ => SplicePipe.Take()!)];
            foreach (SplicePipe pipe in pipes) pipe.Return();
            Assert.Equal(5, SplicePipe.Kept);
            // Two at a time since the last trim: of the others half go at each.
            SplicePipe.Trim();
            Assert.Equal(5, SplicePipe.Kept);
            SplicePipe first = SplicePipe.Take()!, second = SplicePipe.Take()!;
            first.Return();
            second.Return();
            SplicePipe.Trim();
            Assert.Equal(3, SplicePipe.Kept);
            await Task.Yield();
            // Nobody needs any: the loop comes to it by itself, within a few of its sweeps.
            await Eventually.Until("none is kept", async () =>
            {
                await loop.Switch();
                return SplicePipe.Kept == 0;
            });
        }
        finally
        {
            await Task.Run(loop.Stop);
        }
    }
}
