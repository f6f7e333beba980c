using System.Text.Json;
using Gateway.Config;
using Gateway.DataPlane.Obs;
using Xunit;

namespace Gateway.DataPlane.Tests.Obs;

public sealed class AccessLogTests
{
    private static AccessLogEntry Entry(int status, int attempts = 0) => new() { Status = status, Attempts = attempts };

    [Fact]
    public async Task TheQueue_TakesItsCapacity_AndDropsAndCountsOneBeyond()
    {
        using StuckStream stuck = new();
        await using LogFixture fixture = new(new() { Fields = ["attempts"] }, capacity: 64, stdout: stuck);
        fixture.Log.Write(Entry(200));
        stuck.Entered.Wait(TestContext.Current.CancellationToken);
        for (int i = 0; i < 64; i++) fixture.Log.Write(Entry(200, i));
        Assert.Equal(0, fixture.Dropped("queue_full"));
        fixture.Log.Write(Entry(200));
        Assert.Equal(1, fixture.Dropped("queue_full"));
        fixture.Log.Write(Entry(200));
        Assert.Equal(2, fixture.Dropped("queue_full"));

        stuck.Release();
        await fixture.Log.FlushAsync();
        Assert.Equal(65, stuck.Lines);
        fixture.Log.Write(Entry(200));
        await fixture.Log.FlushAsync();
        Assert.Equal(66, stuck.Lines);
    }

    [Fact]
    public async Task EightThreads_LoseNoLineAndTearNone()
    {
        const int PerThread = 20_000;
        await using LogFixture fixture = new(new() { Fields = ["status", "attempts"] }, capacity: 1024);
        await Task.WhenAll(Enumerable.Range(0, 8).Select(t => Task.Run(() =>
        {
            for (int i = 0; i < PerThread; i++) fixture.Log.Write(Entry(200 + t, i));
        })));
        string[] lines = await fixture.LinesAsync();
        Assert.Equal(8 * PerThread, lines.Length + fixture.Dropped("queue_full"));
        int[] last = [.. Enumerable.Repeat(-1, 8)];
        foreach (string line in lines)
        {
            using JsonDocument document = JsonDocument.Parse(line);
            int thread = document.RootElement.GetProperty("status").GetInt32() - 200, n = document.RootElement.GetProperty("attempts").GetInt32();
            Assert.True(n > last[thread], "a thread's lines are out of order, or one is there twice");
            last[thread] = n;
        }
    }

    [Fact]
    public async Task HandingOver_AllocatesNothing()
    {
        await using LogFixture fixture = new(capacity: 1024);
        AccessLogEntry entry = LogFixture.Full();
        for (int i = 0; i < 20_000; i++) Hand();
        long before = GC.GetAllocatedBytesForCurrentThread();
        for (int i = 0; i < 20_000; i++) Hand();
        Assert.Equal(0, GC.GetAllocatedBytesForCurrentThread() - before);

        void Hand()
        {
            if (fixture.Log.Wants(200)) fixture.Log.Write(entry);
        }
    }

    [Fact]
    public async Task WhatWasAccepted_IsThereAfterTheEnd_AndWhatComesLaterIsCounted()
    {
        LogFixture fixture = new(new() { Output = "a.log", Fields = ["attempts"] });
        for (int i = 0; i < 500; i++) fixture.Log.Write(Entry(200, i));
        await fixture.Log.DisposeAsync();
        Assert.Equal(Enumerable.Range(0, 500).Select(static i => $"{{\"attempts\":{i}}}"), fixture.LinesOf("a.log"));
        fixture.Log.Write(Entry(200));
        Assert.Equal(1, fixture.Dropped("queue_full"));
        await fixture.DisposeAsync();
    }

    [Fact]
    public async Task ALine_FollowsWithoutAFlush()
    {
        await using LogFixture fixture = new(new() { Output = "a.log" });
        fixture.Log.Write(Entry(200));
        string path = Path.Combine(fixture.Folder, "a.log");
        using CancellationTokenSource deadline = new(TimeSpan.FromSeconds(20));
        while (!File.Exists(path) || new FileInfo(path).Length == 0) await Task.Delay(5, deadline.Token);
    }

    [Fact]
    public async Task ASample_KeepsItsShare_AndTheSameOneForTheSameSeed()
    {
        AccessLogConfig config = new() { Sample = new Dictionary<string, double> { ["2xx"] = 0.1, ["204"] = 1, ["3xx"] = 0, ["503"] = 0 } };
        await using LogFixture fixture = new(config);
        await using LogFixture again = new(config);
        int kept = 0;
        for (int i = 0; i < 100_000; i++)
        {
            bool wants = fixture.Log.Wants(200);
            Assert.Equal(wants, again.Log.Wants(200));
            kept += wants ? 1 : 0;
            Assert.True(fixture.Log.Wants(204));
            Assert.False(fixture.Log.Wants(301));
            Assert.True(fixture.Log.Wants(404));
            Assert.False(fixture.Log.Wants(503));
            Assert.True(fixture.Log.Wants(502));
        }
        // Five standard deviations of a binomial with n = 100 000 and p = 0.1.
        Assert.InRange(kept, 10_000 - 475, 10_000 + 475);
        Assert.True(fixture.Log.Wants(0));
        Assert.True(fixture.Log.Wants(999));
    }

    [Fact]
    public async Task Off_WantsNothing()
    {
        await using LogFixture fixture = new(new() { Output = "off" });
        Assert.False(fixture.Log.Wants(500));
        fixture.Log.Write(Entry(200));
        Assert.Empty(await fixture.LinesAsync());
        Assert.Equal(0, fixture.Dropped("queue_full"));
    }

    [Fact]
    public async Task NewSettings_HoldForTheLinesAfterThem_AndLoseNone()
    {
        await using LogFixture fixture = new(new() { Output = "a.log", Fields = ["attempts"] });
        fixture.Log.Write(Entry(200, 1));
        fixture.Log.Reconfigure(fixture.Compile(new() { Output = "b.log", Fields = ["attempts"] }));
        fixture.Log.Write(Entry(200, 2));
        fixture.Log.Reconfigure(fixture.Compile(new() { Output = "b.log", Fields = ["status"] }));
        fixture.Log.Write(Entry(200, 3));
        fixture.Log.Reconfigure(fixture.Compile(new() { Fields = ["attempts"] }));
        fixture.Log.Write(Entry(200, 4));
        fixture.Log.Reconfigure(AccessLogModel.Off);
        fixture.Log.Write(Entry(200, 5));
        Assert.Equal(["{\"attempts\":4}"], await fixture.LinesAsync());
        Assert.Equal(["{\"attempts\":1}"], fixture.LinesOf("a.log"));
        Assert.Equal(["{\"attempts\":2}", "{\"status\":200}"], fixture.LinesOf("b.log"));
    }

    [Fact]
    public async Task AFileThatIsThere_IsAppendedTo()
    {
        await using LogFixture fixture = new(new() { Output = "off" });
        await File.WriteAllTextAsync(Path.Combine(fixture.Folder, "a.log"), "before\n", TestContext.Current.CancellationToken);
        fixture.Log.Reconfigure(fixture.Compile(new() { Output = "a.log", Fields = ["attempts"] }));
        fixture.Log.Write(Entry(200, 1));
        await fixture.Log.FlushAsync();
        Assert.Equal(["before", "{\"attempts\":1}"], fixture.LinesOf("a.log"));
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task AFileThatWasMovedAway_IsMadeAnew_WithNoLineLost(bool newFileInItsPlace)
    {
        await using LogFixture fixture = new(new() { Output = "a.log", Fields = ["attempts"] });
        string path = Path.Combine(fixture.Folder, "a.log");
        fixture.Log.Write(Entry(200, 0));
        await fixture.Log.FlushAsync();
        File.Move(path, path + ".1");
        if (newFileInItsPlace) await File.WriteAllTextAsync(path, "", TestContext.Current.CancellationToken);

        // It is noticed within a second of the log's clock; until then lines go to the old file.
        using CancellationTokenSource deadline = new(TimeSpan.FromSeconds(20));
        int n = 1;
        do
        {
            deadline.Token.ThrowIfCancellationRequested();
            fixture.Clock.Advance(TimeSpan.FromMilliseconds(400));
            fixture.Log.Write(Entry(200, n++));
            await fixture.Log.FlushAsync();
        }
        while (!File.Exists(path) || new FileInfo(path).Length == 0);

        Assert.Equal(Enumerable.Range(0, n).Select(static i => $"{{\"attempts\":{i}}}"), fixture.LinesOf("a.log.1").Concat(fixture.LinesOf("a.log")));
        Assert.Empty(fixture.Complaints);
    }

    [Fact]
    public async Task AFileThatWasMovedAway_IsMadeAnewAtOnceOnRequest()
    {
        await using LogFixture fixture = new(new() { Output = "a.log", Fields = ["attempts"] });
        string path = Path.Combine(fixture.Folder, "a.log");
        fixture.Log.Write(Entry(200, 0));
        await fixture.Log.FlushAsync();
        File.Move(path, path + ".1");
        fixture.Log.Reopen();
        await fixture.Log.FlushAsync();
        fixture.Log.Write(Entry(200, 1));
        await fixture.Log.FlushAsync();
        Assert.Equal(["{\"attempts\":1}"], fixture.LinesOf("a.log"));
    }

    [Fact]
    public async Task AFileThatWasTruncated_HasNoHole()
    {
        await using LogFixture fixture = new(new() { Output = "a.log", Fields = ["attempts"] });
        fixture.Log.Write(Entry(200, 0));
        await fixture.Log.FlushAsync();
        await File.WriteAllTextAsync(Path.Combine(fixture.Folder, "a.log"), "", TestContext.Current.CancellationToken);
        fixture.Log.Write(Entry(200, 1));
        await fixture.Log.FlushAsync();
        Assert.Equal(["{\"attempts\":1}"], fixture.LinesOf("a.log"));
    }

    [Fact]
    public async Task AnOutputThatFails_StopsNothing_IsCounted_AndIsComplainedOfOnceAMinute()
    {
        await using LogFixture fixture = new(new() { Output = "off" });
        Directory.CreateDirectory(Path.Combine(fixture.Folder, "sub"));
        fixture.Log.Reconfigure(fixture.Compile(new() { Output = "sub/a.log", Fields = ["attempts"] }));
        Directory.Delete(Path.Combine(fixture.Folder, "sub"));
        for (int i = 0; i < 5; i++)
        {
            fixture.Log.Write(Entry(200, i));
            await fixture.Log.FlushAsync();
        }
        Assert.Equal(5, fixture.Dropped("write_failed"));
        Assert.Equal(5, Scrape.Of(fixture.Metrics)["gateway_access_log_write_errors_total"]);
        Assert.StartsWith("1301 The access log cannot be written to ", Assert.Single(fixture.Complaints));

        fixture.Clock.Advance(TimeSpan.FromSeconds(61));
        fixture.Log.Write(Entry(200));
        await fixture.Log.FlushAsync();
        Assert.Equal(2, fixture.Complaints.Count);
        Assert.Contains("5 failed writes", fixture.Complaints[1]);

        Directory.CreateDirectory(Path.Combine(fixture.Folder, "sub"));
        fixture.Log.Write(Entry(200, 9));
        await fixture.Log.FlushAsync();
        Assert.Equal(["{\"attempts\":9}"], fixture.LinesOf("sub/a.log"));
    }

    [Fact]
    public async Task AFullDisk_StopsNothing()
    {
        if (!File.Exists("/dev/full")) Assert.Skip("SKIPPED: there is no /dev/full here");
        await using LogFixture fixture = new(new() { Output = "/dev/full" });
        fixture.Log.Write(Entry(200));
        await fixture.Log.FlushAsync();
        Assert.Equal(1, fixture.Dropped("write_failed"));
    }

    [Fact]
    public void AFileThatCannotBe_IsRefusedWithItsFix()
    {
        string folder = Path.GetTempPath();
        Assert.Equal([$"accessLog.output: invalid_value: {folder.TrimEnd('/')} is a folder. Name a file in it."], Errors("."));
        Assert.Equal([$"accessLog.output: invalid_value: The folder {Path.Combine(folder, "no-such-folder")} does not exist. Create it; the gateway only creates the file."], Errors("no-such-folder/a.log"));
        Assert.Empty(Errors("a.log"));
        Assert.False(File.Exists(Path.Combine(folder, "a.log")));

        string[] Errors(string output)
        {
            List<ConfigError> errors = [];
            _ = AccessLogModel.Compile(new AccessLogConfig { Output = output }, folder, errors);
            return [.. errors.Select(static e => e.ToString())];
        }
    }

    [Fact]
    public void TheFields_AreThoseThatADocumentMayName() =>
        Assert.Equal(AccessLogFieldNames.All, AccessLogFields.All.Select(AccessLogFields.Name));

    /// <summary>Takes nothing until it is released, as a pipe that nobody reads.</summary>
    private sealed class StuckStream : MemoryStream
    {
        private readonly ManualResetEventSlim _released = new();
        private int _lines;

        public ManualResetEventSlim Entered { get; } = new();
        public int Lines => Volatile.Read(ref _lines);

        public void Release() => _released.Set();

        public override void Write(ReadOnlySpan<byte> buffer)
        {
            Entered.Set();
            _released.Wait();
            Interlocked.Add(ref _lines, buffer.Count((byte)'\n'));
        }
    }
}
