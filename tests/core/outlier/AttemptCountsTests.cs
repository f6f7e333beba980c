using Gateway.Core.Outlier;

namespace Gateway.Core.Tests.Outlier;

public sealed class AttemptCountsTests
{
    [Fact]
    public void EachEnd_IsCountedAsWhatItIs()
    {
        var counts = new AttemptCounts();
        counts.RecordSuccess(1);
        counts.RecordError();
        Assert.Equal(2, counts.RecordUnanswered(out int unanswered));
        Assert.Equal(1, unanswered);
        counts.RecordUnanswered(out _);
        Assert.Equal((4L, 1L, 2L, 3, 2), (counts.Total, counts.Errors, counts.Unanswered, counts.FailureRun, counts.UnansweredRun));
        Assert.Equal(4, counts.RecordError());
        Assert.Equal((4, 0), (counts.FailureRun, counts.UnansweredRun));
        counts.RecordSuccess(1);
        Assert.Equal((0, 0), (counts.FailureRun, counts.UnansweredRun));
    }

    [Fact]
    public void AnAnswerThatIsCutOff_IsAFailure_AndTheNextHeadDoesNotBreakItsRun()
    {
        var counts = new AttemptCounts();
        for (int i = 1; i <= 3; i++)
        {
            counts.RecordSuccess(1);
            Assert.Equal(i, counts.RecordCut());
        }
        Assert.Equal((3L, 0L, 3L, 0, 3), (counts.Total, counts.Errors, counts.Unanswered, counts.FailureRun, counts.CutRun));
        counts.RecordSuccess(1);
        Assert.Equal(3, counts.CutRun);
        counts.RecordWhole();
        Assert.Equal((0, 3L), (counts.CutRun, counts.Unanswered));
    }

    [Fact]
    public async Task NothingIsLost_WhenAllRecordAtOnce()
    {
        const int threads = 4, each = 50_000;
        var counts = new AttemptCounts { Latencies = new LatencyHistogram() };
        await Task.WhenAll(Enumerable.Range(0, threads).Select(_ => Task.Run(() =>
        {
            for (int i = 0; i < each; i++)
            {
                counts.RecordSuccess(i * 1000);
                counts.RecordError();
                counts.RecordUnanswered(out _);
            }
        })));
        Assert.Equal((3L * threads * each, (long)threads * each, (long)threads * each), (counts.Total, counts.Errors, counts.Unanswered));
        uint[] buckets = new uint[LatencyHistogram.Buckets];
        counts.Latencies.Read(buckets);
        Assert.Equal(threads * each, buckets.Sum(b => (long)b));
    }

    [Theory]
    [InlineData(1_000)]
    [InlineData(7_500)]
    [InlineData(100_000)]
    [InlineData(1_234_567)]
    [InlineData(15_000_000)]
    [InlineData(3_000_000_000)]
    [InlineData(600_000_000_000)]
    public void APercentile_IsAtMostAnEighthOff(long nanoseconds)
    {
        var histogram = new LatencyHistogram();
        for (int i = 0; i < 95; i++) histogram.Record(nanoseconds);
        for (int i = 0; i < 5; i++) histogram.Record(nanoseconds * 100);
        uint[] buckets = new uint[LatencyHistogram.Buckets];
        histogram.Read(buckets);
        // Under 8 µs by a microsecond.
        Assert.InRange(LatencyHistogram.Percentile(buckets, 95), (nanoseconds * 7 / 8) - 1000, (nanoseconds * 9 / 8) + 1000);
    }

    [Theory]
    [InlineData(0)]
    [InlineData(-5)]
    [InlineData(long.MaxValue)]
    public void ValuesOutOfRange_CountAtTheEnds(long value)
    {
        var histogram = new LatencyHistogram();
        histogram.Record(value);
        uint[] buckets = new uint[LatencyHistogram.Buckets];
        histogram.Read(buckets);
        Assert.Equal(1u, value > 0 ? buckets[^1] : buckets[0]);
    }
}
