using Gateway.ControlPlane.Rollout;
using Gateway.ControlPlane.Store;
using Gateway.ControlPlane.Tests.Store;
using Gateway.TestKit;
using Xunit;

namespace Gateway.ControlPlane.Tests.Rollout;

/// <summary>What a start finds of the rollouts before it.</summary>
public sealed class RolloutStoreTests : IDisposable
{
    private readonly TempFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    private static RolloutRecord Record(string id, RolloutState state, string version = "v1") => new()
    {
        Id = id,
        Rollout = "default",
        Version = version,
        Digest = "d" + version,
        Source = "admin",
        State = state,
        Stage = "canary",
        Stages = [new RolloutStage(0.5, TimeSpan.FromSeconds(90))],
        Percent = 0.5,
        StartedAt = DateTimeOffset.UnixEpoch,
        EndedAt = state == RolloutState.Running ? null : DateTimeOffset.UnixEpoch.AddSeconds(5),
        Reason = "because \"of\" it\n",
        Evidence = new RolloutEvidence("shop", "latency", new VariantTraffic(10, 1, null), new VariantTraffic(2, 2, TimeSpan.FromMilliseconds(12.5)) { Median = TimeSpan.FromMilliseconds(3) }, "worse"),
        Traffic = [new RouteTraffic("shop", new VariantTraffic(10, 1, null), new VariantTraffic(2, 2, null))],
    };

    private RolloutStore Open(ConfigStore store, DurableFiles? files = null) => new(store, TimeProvider.System, files ?? new UnsyncedFiles());

    [Fact]
    public void ARecord_IsReadAsItWasWritten()
    {
        using ConfigStore store = ConfigStore.Open(_folder["data"], new UnsyncedFiles());
        RolloutRecord written = Record("7", RolloutState.Returned);
        Open(store).Save(written, 10);
        RolloutStore again = Open(store);
        RolloutRecord read = Assert.Single(again.All());
        Assert.Equal(RolloutJson.Write(written), RolloutJson.Write(read));
        Assert.Equal((written.Evidence, "8", true), (read.Evidence, again.NextId(), again.IsFailed("dv1")));
    }

    [Fact]
    public void ADamagedRecord_IsLeftOut_AndItsNumberIsNotGivenAgain()
    {
        using ConfigStore store = ConfigStore.Open(_folder["data"], new UnsyncedFiles());
        Open(store).Save(Record("3", RolloutState.Aborted), 10);
        _folder.Write("data/rollouts/9.json", "{ \"id\": \"9\"");
        _folder.Write("data/rollouts/4.json.tmp", "{");
        RolloutStore again = Open(store);
        Assert.Equal(("3", "10"), (Assert.Single(again.All()).Id, again.NextId()));
        Assert.Equal("rollouts: '9.json' is damaged, left out", Assert.Single(again.Notes));
        Assert.False(File.Exists(_folder["data/rollouts/4.json.tmp"]));
    }

    [Fact]
    public void OneThatRan_IsAborted_AndMayComeAgain_AlsoWhenThatCannotBeWritten()
    {
        using ConfigStore store = ConfigStore.Open(_folder["data"], new UnsyncedFiles());
        Open(store).Save(Record("1", RolloutState.Running), 10);
        RolloutStore full = Open(store, new DyingFiles(0, LastWrite.Nothing));
        Assert.Equal((RolloutState.Aborted, "the gateway was restarted"), (full.All()[0].State, full.All()[0].Reason));
        Assert.Contains("cannot be written", Assert.Single(full.Notes), StringComparison.Ordinal);
        RolloutStore again = Open(store);
        Assert.Equal((RolloutState.Aborted, false), (again.All()[0].State, again.IsFailed("v1")));
        Assert.Empty(again.Notes);
    }
}
