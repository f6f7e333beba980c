using Gateway.ControlPlane.Store;
using Gateway.TestKit;
using Xunit;

namespace Gateway.ControlPlane.Tests.Store;

public sealed class AuditLogTests : IDisposable
{
    private readonly TempFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    private static AuditEntry Entry(string actor) => new(DateTimeOffset.UnixEpoch, actor, "127.0.0.1:5", "apply", "admin", "v", "applied", null);

    private static IEnumerable<string?> Actors(AuditLog log, int count = 10) => log.Newest(count).Select(e => e.GetProperty("actor").GetString());

    [Fact]
    public void Newest_IsNewestFirst_AndNoMoreThanAskedFor()
    {
        AuditLog log = new(_folder.Root);
        Assert.Empty(log.Newest(10));
        foreach (string actor in (string[])["a", "b\n\"", "c"]) log.Append(Entry(actor));
        Assert.Equal(["c", "b\n\"", "a"], Actors(log));
        Assert.Equal(["c"], Actors(log, 1));
    }

    [Theory]
    [InlineData(LastWrite.Half)]
    [InlineData(LastWrite.All)]
    [InlineData(LastWrite.Nothing)]
    public void ATornEntry_StaysALineOfItsOwn_AndTheOthersAreRead(LastWrite lastWrite)
    {
        new AuditLog(_folder.Root).Append(Entry("a"));
        AuditLog dying = new(_folder.Root, new DyingFiles(0, lastWrite));
        _ = Assert.Throws<DiedException>(() => dying.Append(Entry("b")));
        AuditLog next = new(_folder.Root);
        next.Append(Entry("c"));
        string[] expected = lastWrite == LastWrite.All ? ["c", "b", "a"] : ["c", "a"];
        Assert.Equal(expected, Actors(next));
    }

    [Fact]
    public void AfterTheFileWasMovedAway_ANewOneIsBegun()
    {
        AuditLog log = new(_folder.Root);
        log.Append(Entry("a"));
        File.Move(_folder["audit.log"], _folder["audit.log.1"]);
        log.Append(Entry("b"));
        Assert.Equal(["b"], Actors(log));
    }
}
