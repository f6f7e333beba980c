using System.Text;
using Gateway.ControlPlane.Store;
using Xunit;

namespace Gateway.ControlPlane.Tests.Store;

/// <summary>Lets the process die at every single file operation and looks at what the next one finds.</summary>
public sealed class ConfigStoreFaultTests
{
    private const int Keep = 3;
    private const int Applies = 34;

    private static byte[] Document(int i) => Encoding.UTF8.GetBytes($"{{ \"version\": \"v1\", \"n\": {i}, \"pad\": \"{new string('x', 100)}\" }}");

    private static HistoryRecord Record(int i, string result = HistoryRecord.Applied) => new()
    {
        Time = DateTimeOffset.UnixEpoch.AddSeconds(i),
        Version = $"version-{i}",
        Digest = result == HistoryRecord.Applied ? ConfigStore.DigestOf(Document(i)) : null,
        Source = "admin",
        Actor = "token",
        Result = result,
        BundleSequence = result == HistoryRecord.Applied ? i : null,
    };

    // What an apply does, again and again; returns the number of the last one that was answered.
    private static int Work(ConfigStore store, int from, int to, bool goOn = false)
    {
        int answered = from - 1;
        for (int i = from; i <= to; i++)
        {
            try
            {
                if (i % 5 == 0) _ = store.Append(Record(i, HistoryRecord.Rejected), Keep);
                else
                {
                    store.Save(ConfigStore.DigestOf(Document(i)), "json", Document(i));
                    _ = store.Append(Record(i), Keep);
                }
                answered = i;
            }
            catch (DiedException) when (goOn)
            {
                // A full disk; the next apply may find room.
            }
        }
        return answered;
    }

    private static void AssertWhole(ConfigStore store, string folder)
    {
        HistoryRecord[] history = store.History();
        long last = 0;
        foreach (HistoryRecord record in history)
        {
            Assert.True(record.Sequence > last, $"sequence {record.Sequence} after {last}");
            last = record.Sequence;
            if (record.IsApplied) Assert.Equal(record.Digest, ConfigStore.DigestOf(store.Read(record)));
        }
        Assert.Empty(Directory.EnumerateFiles(folder, "*.tmp", SearchOption.AllDirectories));
        HashSet<string> documents = [.. history.Where(r => r.IsApplied).Select(r => $"{r.Digest}.json")];
        Assert.Equal(documents, Directory.EnumerateFiles(Path.Combine(folder, "configs")).Select(Path.GetFileName).ToHashSet()!);
    }

    private static int OperationsOfAWholeRun()
    {
        using MemoryFolder folder = new();
        DyingFiles counting = new(int.MaxValue, LastWrite.All);
        using ConfigStore store = ConfigStore.Open(folder.Data, counting);
        _ = Work(store, 1, Applies);
        return counting.Done;
    }

    [Theory]
    [InlineData(LastWrite.Nothing)]
    [InlineData(LastWrite.Half)]
    [InlineData(LastWrite.All)]
    [InlineData(LastWrite.Unsynced)]
    public void WhereverItDies_WhatWasAnsweredIsThere_AndTheStoreGoesOn(LastWrite lastWrite)
    {
        int operations = OperationsOfAWholeRun();
        Assert.InRange(operations, 200, 2000);
        for (int steps = 0; steps < operations; steps++)
        {
            using MemoryFolder folder = new();
            string data = folder.Data;
            int answered = 0;
            try
            {
                using ConfigStore dying = ConfigStore.Open(data, new DyingFiles(steps, lastWrite));
                for (int i = 1; i <= Applies; i++) answered = Work(dying, i, i);
                Assert.Fail("it did not die");
            }
            catch (DiedException)
            {
                // As was to be.
            }

            using (ConfigStore store = ConfigStore.Open(data, new UnsyncedFiles()))
            {
                AssertWhole(store, data);
                int[] applied = [.. Enumerable.Range(1, answered).Where(i => i % 5 != 0).TakeLast(Keep)];
                string?[] found = [.. store.History().Where(r => r.IsApplied).Select(r => r.Version)];
                // No bundle that was answered can come again, whatever the death and the retention took.
                Assert.InRange(store.BundleSequence, applied.Length == 0 ? 0 : applied[^1], answered + 1);
                // The one that was not answered may be there or not; if it is, it may have pushed out the oldest.
                bool oneMore = found.Contains($"version-{answered + 1}");
                string[] expected = [.. applied.Skip(oneMore && found.Length <= applied.Length ? 1 : 0).Select(i => $"version-{i}")];
                foreach (string version in expected.Skip(found.Length < expected.Length ? 1 : 0)) Assert.Contains(version, found);
                if (applied.Length > 0) Assert.Contains(store.LastApplied!.Version, new[] { $"version-{applied[^1]}", $"version-{answered + 1}" });
                _ = Work(store, 1000, 1007);
                AssertWhole(store, data);
            }
            using ConfigStore again = ConfigStore.Open(data, new UnsyncedFiles());
            AssertWhole(again, data);
            Assert.Equal("version-1007", again.LastApplied!.Version);
            Assert.Empty(again.Notes);
        }
    }

    [Theory]
    [InlineData(LastWrite.Nothing)]
    [InlineData(LastWrite.Half)]
    [InlineData(LastWrite.All)]
    public void WhateverOperationFails_ButTheProcessGoesOn_TheStoreIsWholeAfterwards(LastWrite lastWrite)
    {
        int operations = OperationsOfAWholeRun();
        // The first operations belong to opening, which may fail as a whole.
        for (int steps = 3; steps < operations; steps++)
        {
            using MemoryFolder folder = new();
            string data = folder.Data;
            using (ConfigStore failing = ConfigStore.Open(data, new DyingFiles(steps, lastWrite, once: true)))
            {
                _ = Work(failing, 1, Applies + 4, goOn: true);
                foreach (HistoryRecord record in failing.History().Where(r => r.IsApplied)) _ = failing.Read(record);
            }
            using ConfigStore store = ConfigStore.Open(data, new UnsyncedFiles());
            AssertWhole(store, data);
            Assert.Equal($"version-{Applies + 4}", store.LastApplied!.Version);
        }
    }

    /// <summary>A folder in memory where there is one: hundreds of stores are made here, and a disk flushes at each rename.</summary>
    private sealed class MemoryFolder : IDisposable
    {
        private static readonly string Parent = Directory.Exists("/dev/shm") ? "/dev/shm" : Path.GetTempPath();
        private readonly string _root = Path.Combine(Parent, "gw-" + Path.GetRandomFileName());

        public string Data => Path.Combine(_root, "data");

        public void Dispose()
        {
            if (Directory.Exists(_root)) Directory.Delete(_root, recursive: true);
        }
    }
}
