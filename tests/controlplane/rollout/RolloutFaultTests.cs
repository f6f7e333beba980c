using Gateway.ControlPlane.Apply;
using Gateway.ControlPlane.Rollout;
using Gateway.ControlPlane.Store;
using Gateway.ControlPlane.Tests.Store;
using Gateway.TestKit;
using Xunit;

namespace Gateway.ControlPlane.Tests.Rollout;

/// <summary>Lets the process die at every file operation of a rollout, whichever way that goes, and looks at what the next one finds.</summary>
public sealed class RolloutFaultTests
{
    private static string Candidate(int i) => ControlRig.Respond($"new {i}", RolloutDirectorTests.Stages);

    // Promoted, returned, aborted, refused, rolled back: a process's life. Each step is answered, or it died.
    private static async Task LiveAsync(ControlRig rig, FakeCanary canary, ManualTime time)
    {
        Assert.True((await rig.StartAsync(ControlRig.Respond("file", """, "history": { "keep": 2 }"""))).Started);
        for (int i = 1; i <= 4; i++)
        {
            if ((await rig.RollOutAsync(Candidate(i))).Record is not { IsEnded: false } begun) return;
            canary.Serves(300);
            time.Pass(31);
            await rig.Rollouts.TickAsync();
            if (i == 1) _ = await rig.RollBackAsync();
            if (i == 2) canary.Fails(20);
            if (i == 3) _ = await rig.Rollouts.ActAsync(begun.Id, RolloutAction.Promote, ControlRig.Admin, CancellationToken.None);
            if (i == 4) canary.Serves(900);
            time.Pass(31);
            await rig.Rollouts.TickAsync();
        }
        _ = await rig.RollBackAsync();
    }

    private static async Task<(DyingFiles Files, string? Serves, string? Live)> DieAsync(TempFolder folder, int steps, LastWrite lastWrite)
    {
        DyingFiles files = new(steps, lastWrite);
        ManualTime time = new();
        FakeCanary canary = new();
        string? live = null;
        try
        {
            await using ControlRig rig = new(folder, canary: canary, files: files, time: time);
            await LiveAsync(rig, canary, time);
            live = rig.Store.LastApplied?.Version;
            return (files, rig.Serves, live);
        }
        catch (DiedException)
        {
            return (files, null, live);
        }
    }

    [Theory]
    [InlineData(LastWrite.Nothing)]
    [InlineData(LastWrite.Half)]
    [InlineData(LastWrite.All)]
    public async Task WhereverItDies_TheNextOneServesWhatTheHistorySays_AndEveryRolloutHasEnded(LastWrite lastWrite)
    {
        int operations;
        using (TempFolder folder = new())
        {
            (DyingFiles whole, string? serves, _) = await DieAsync(folder, int.MaxValue, LastWrite.All);
            Assert.Equal("new 3", serves);
            operations = whole.Done;
        }
        Assert.InRange(operations, 100, 400);
        int interrupted = 0, promotedLate = 0;
        for (int steps = 1; steps < operations; steps++)
        {
            using TempFolder folder = new();
            _ = await DieAsync(folder, steps, lastWrite);
            await using ControlRig rig = new(folder, time: new ManualTime());
            StartResult start = await rig.StartAsync(ControlRig.Respond("file", """, "history": { "keep": 2 }"""));
            Assert.True(start.Started);
            // The history is whole, and what it says last is what is served.
            foreach (HistoryRecord record in rig.Store.History().Where(static r => r.IsApplied)) _ = rig.Store.Read(record);
            Assert.Equal(rig.Store.LastApplied!.Version, rig.Host.Current!.Version);
            Assert.Equal(rig.Store.History().Where(static r => r.IsApplied).Select(static r => $"{r.Digest}.json").Distinct().Order(), Directory.GetFiles(folder["data/configs"]).Select(Path.GetFileName).Order());
            Assert.Empty(Directory.GetFiles(folder["data"], "*.tmp", SearchOption.AllDirectories));
            RolloutRecord[] rollouts = rig.RolloutStore.All();
            Assert.Empty(rig.RolloutStore.Notes);
            Assert.All(rollouts, static r => Assert.True(r.IsEnded));
            foreach (RolloutRecord record in rollouts)
            {
                if (record.Reason == RolloutStore.Restarted) interrupted++;
                bool isInHistory = rig.Store.History().Any(h => h.IsApplied && h.Version == record.Version);
                if (record.State == RolloutState.Promoted && record.Reason is null) promotedLate++;
                if (record.State != RolloutState.Promoted) Assert.False(isInHistory, $"rollout {record.Id} is {record.State} and its version in the history, death at {steps}");
            }
            // And it goes on from there.
            FakeCanary canary = new();
            Assert.True((await rig.ApplyAsync(ControlRig.Respond("after"))).IsGood);
        }
        Assert.True(interrupted > 20 && promotedLate > 0, $"{interrupted} were interrupted, {promotedLate} were found promoted");
    }
}
