using System.Runtime.CompilerServices;
using Gateway.DataPlane.Tests.Transport;
using Gateway.DataPlane.Transport;
using Gateway.TestKit;
using Xunit;

[assembly: AssemblyFixture(typeof(NoLeaks))]

namespace Gateway.DataPlane.Tests.Transport;

/// <summary>
/// After the last test, with GATEWAY_TRACK_LEAKS=1 or in a debug build: every socket of a loop is closed and every buffer given back, or the
/// run fails and names who took what is missing.
/// </summary>
public sealed class NoLeaks : IAsyncDisposable
{
    [ModuleInitializer]
    internal static void TurnOn()
    {
        if (Environment.GetEnvironmentVariable("GATEWAY_TRACK_LEAKS") == "1") AppContext.SetSwitch("Gateway.TrackLeaks", true);
    }

    public async ValueTask DisposeAsync()
    {
        if (LeakTracker.Running is not { } tracker) return;
        try { await Eventually.Until("all that was taken is given back", () => tracker.Held == 0); }
        catch (TimeoutException) { throw new InvalidOperationException($"leaks: {string.Join("\n", tracker.Leaks())}"); }
    }
}

public sealed class LeakTrackerTests
{
    [Fact]
    public void WhatIsNotGivenBack_IsNamedWithThePlaceThatTookIt()
    {
        var tracker = new LeakTracker();
        byte[] good = new byte[1], lost = new byte[1];
        tracker.Taken(good);
        TakeAndLose(tracker, lost);
        tracker.GivenBack(good);
        Assert.Equal(1, tracker.Held);
        Assert.Contains(nameof(TakeAndLose), Assert.Single(tracker.Leaks()));
        tracker.GivenBack(lost);
        Assert.Empty(tracker.Leaks());
    }

    [MethodImpl(MethodImplOptions.NoInlining)]
    private static void TakeAndLose(LeakTracker tracker, object thing) => tracker.Taken(thing);

    [Fact]
    public void WhatIsGivenBackTwice_IsABug()
    {
        var tracker = new LeakTracker();
        object thing = new();
        tracker.Taken(thing);
        tracker.GivenBack(thing);
        Assert.Throws<InvalidOperationException>(() => tracker.GivenBack(thing));
    }
}
