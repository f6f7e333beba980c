using System.Text;
using Gateway.ControlPlane.Store;
using Gateway.TestKit;
using Xunit;

namespace Gateway.ControlPlane.Tests.Store;

public sealed class ConfigStoreTests : IDisposable
{
    private readonly TempFolder _folder = new();

    private string Data => _folder["data"];

    public void Dispose() => _folder.Dispose();

    private static HistoryRecord Apply(ConfigStore store, string text, int keep = 10)
    {
        byte[] content = Encoding.UTF8.GetBytes(text);
        string digest = ConfigStore.DigestOf(content);
        store.Save(digest, "json", content);
        return store.Append(new HistoryRecord { Time = DateTimeOffset.UnixEpoch, Version = "v-" + text, Digest = digest, Source = "admin", Result = HistoryRecord.Applied }, keep);
    }

    [Fact]
    public void ARecord_SurvivesReopening_WithEveryField()
    {
        HistoryRecord written;
        using (ConfigStore store = ConfigStore.Open(Data))
        {
            byte[] content = "listeners: []\n"u8.ToArray();
            string digest = ConfigStore.DigestOf(content);
            store.Save(digest, "yaml", content);
            written = store.Append(new HistoryRecord
            {
                Time = new DateTimeOffset(2026, 11, 20, 9, 30, 0, 123, TimeSpan.Zero),
                Version = "abc",
                Digest = digest,
                Format = "yaml",
                Source = "rollback",
                Actor = "token, CN=\"ops\"\n",
                Result = HistoryRecord.Applied,
                DurationMs = 12.5,
                Detail = "zurück zu 3 ↩",
                FileDigest = "f00",
                Target = 3,
                BundleSequence = 4,
                FleetSequence = 5,
            }, 10);
        }
        using ConfigStore again = ConfigStore.Open(Data);
        Assert.Equal(written, Assert.Single(again.History()));
        Assert.Equal("listeners: []\n"u8.ToArray(), again.Read(written));
    }

    [Fact]
    public void Retention_KeepsTheNewest_AndTheDocumentsTheyNeed()
    {
        using ConfigStore store = ConfigStore.Open(Data);
        _ = Apply(store, "a", 2);
        _ = Apply(store, "b", 2);
        _ = Apply(store, "a", 2);
        // The first "a" is forgotten; its document is still the third record's.
        Assert.Equal(["v-b", "v-a"], store.History().Select(r => r.Version));
        Assert.Equal(2, Directory.GetFiles(Path.Combine(Data, "configs")).Length);
        _ = Apply(store, "c", 1);
        Assert.Equal(["v-c"], store.History().Select(r => r.Version));
        _ = Assert.Single(Directory.GetFiles(Path.Combine(Data, "configs")));
    }

    [Fact]
    public void RejectedAttempts_NeverPushOutTheLiveConfiguration()
    {
        using ConfigStore store = ConfigStore.Open(Data);
        _ = Apply(store, "a", 1);
        for (int i = 0; i < 100; i++) _ = store.Append(new HistoryRecord { Time = DateTimeOffset.UnixEpoch, Source = "file", Result = HistoryRecord.Rejected }, 1);
        Assert.Equal("v-a", store.LastApplied!.Version);
        Assert.Equal(2, store.History().Length);
        Assert.InRange(new FileInfo(Path.Combine(Data, "history.log")).Length, 1, 8000);
    }

    [Fact]
    public void ADamagedLineInTheMiddle_IsLeftOut_AndToldOf()
    {
        using (ConfigStore store = ConfigStore.Open(Data))
        {
            _ = Apply(store, "a");
            _ = Apply(store, "b");
            _ = Apply(store, "c");
        }
        string path = Path.Combine(Data, "history.log");
        byte[] content = File.ReadAllBytes(path);
        content[Array.IndexOf(content, (byte)'\n') + 40] ^= 1;
        File.WriteAllBytes(path, content);
        using ConfigStore again = ConfigStore.Open(Data);
        Assert.Equal(["v-a", "v-c"], again.History().Select(r => r.Version));
        Assert.Contains("1 damaged line", Assert.Single(again.Notes), StringComparison.Ordinal);
    }

    [Fact]
    public void WithoutTheJournal_TheLastGoodPointerIsEnough()
    {
        using (ConfigStore store = ConfigStore.Open(Data))
        {
            _ = Apply(store, "a");
            _ = Apply(store, "b");
        }
        File.Delete(Path.Combine(Data, "history.log"));
        using (ConfigStore again = ConfigStore.Open(Data))
        {
            Assert.Equal("v-b", again.LastApplied!.Version);
            Assert.Equal("b"u8.ToArray(), again.Read(again.LastApplied));
            Assert.Equal(3, Apply(again, "c").Sequence);
        }
        using ConfigStore mended = ConfigStore.Open(Data);
        Assert.Equal(["v-b", "v-c"], mended.History().Select(r => r.Version));
        Assert.Empty(mended.Notes);
    }

    [Fact]
    public void ADocumentThatWasTamperedWith_IsNotServed()
    {
        using ConfigStore store = ConfigStore.Open(Data);
        HistoryRecord record = Apply(store, "a");
        File.WriteAllText(Path.Combine(Data, "configs", record.Digest + ".json"), "b");
        IOException e = Assert.Throws<IOException>(() => store.Read(record));
        Assert.Contains("damaged", e.Message, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("b")]
    [InlineData("")]
    [InlineData("aa")]
    public void ADocumentThatIsDamaged_IsMendedWhenItIsSavedAgain(string damage)
    {
        using ConfigStore store = ConfigStore.Open(Data);
        HistoryRecord record = Apply(store, "a");
        File.WriteAllText(Path.Combine(Data, "configs", record.Digest + ".json"), damage);
        store.Save(record.Digest!, record.Format, "a"u8);
        Assert.Equal("a"u8.ToArray(), store.Read(record));
    }

    [Fact]
    public void ASecondGateway_IsRefusedTheFolder_AndAfterTheFirstGetsIt()
    {
        using (ConfigStore first = ConfigStore.Open(Data))
        {
            IOException e = Assert.Throws<IOException>(() => ConfigStore.Open(Data));
            Assert.Contains("in use by another gateway", e.Message, StringComparison.Ordinal);
        }
        ConfigStore.Open(Data).Dispose();
    }

    [Fact]
    public void AFolderThatCannotBeMade_IsRefusedWithTheFix()
    {
        string path = _folder.Write("file", "");
        IOException e = Assert.Throws<IOException>(() => ConfigStore.Open(Path.Combine(path, "data")));
        Assert.Contains("--data-dir", e.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void WhatIsStored_IsTheOwnersAlone()
    {
        if (OperatingSystem.IsWindows()) return;
        using ConfigStore store = ConfigStore.Open(Data);
        _ = Apply(store, "a");
        Assert.Equal(UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute, File.GetUnixFileMode(Data));
        foreach (string file in Directory.EnumerateFiles(Path.Combine(Data, "configs")).Append(Path.Combine(Data, "history.log")).Append(Path.Combine(Data, "last-good")))
            Assert.Equal(UnixFileMode.UserRead | UnixFileMode.UserWrite, File.GetUnixFileMode(file));
    }
}
