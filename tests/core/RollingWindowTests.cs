using FsCheck;
using FsCheck.Fluent;

namespace Gateway.Core.Tests;

public sealed class RollingWindowTests
{
    // Ten buckets of a hundred ticks.
    private const long Length = 1000, Bucket = Length / RollingWindow.Buckets;

    [Fact]
    public void AnEvent_CountsUntilTheTenthBucketAfterItsOwn()
    {
        var window = new RollingWindow(Length);
        window.Add(50, marked: true);
        window.Add(99, marked: false);
        Assert.Equal((2, 1), window.Read(99));
        Assert.Equal((2, 1), window.Read(999));
        Assert.Equal((0, 0), window.Read(1000));
    }

    [Fact]
    public void AMarkThatComesLater_IsNoEventOfItsOwn()
    {
        var window = new RollingWindow(Length);
        for (int i = 0; i < 3; i++) window.Add(10, marked: false);
        window.Mark(10);
        window.Mark(10 + Bucket);
        Assert.Equal((3, 2), window.Read(10 + Bucket));
        Assert.Equal((0, 1), window.Read(10 + Length));
        Assert.Equal((0, 0), window.Read(10 + Length + Bucket));
    }

    [Fact]
    public void ABucketsPlace_IsTakenByTheOneALengthLater()
    {
        var window = new RollingWindow(Length);
        for (int i = 0; i < 7; i++) window.Add(10, marked: true);
        window.Add(10 + Length, marked: false);
        Assert.Equal((1, 0), window.Read(10 + Length));
    }

    [Fact]
    public void AnEventThatComesLate_DoesNotUndoTheNewerBucket()
    {
        var window = new RollingWindow(Length);
        window.Add(10 + Length, marked: false);
        window.Add(10, marked: true);
        Assert.Equal((1, 0), window.Read(10 + Length));
    }

    [Theory]
    [InlineData(1L << 23)]
    [InlineData((1L << 24) - 100)]
    [InlineData(1L << 24)]
    [InlineData((1L << 24) + 20)]
    public void AfterAnyLongSilence_ItCountsAnew(long buckets)
    {
        var window = new RollingWindow(Length);
        window.Add(10, marked: true);
        long later = 10 + ((buckets + 11) * Bucket);
        window.Add(later, marked: false);
        (long events, _) = window.Read(later);
        Assert.InRange(events, 1, 2);
    }

    [Fact]
    public void ABucketThatIsFull_KeepsTheShare()
    {
        var window = new RollingWindow(Length);
        const int Events = 3 << 20;
        for (int i = 0; i < Events; i++) window.Add(5, marked: i % 4 == 0);
        (long events, long marked) = window.Read(5);
        Assert.InRange(events, 1 << 19, Events);
        Assert.InRange((double)marked / events, 0.24, 0.26);
    }

    [Fact]
    public void Read_AgreesWithAListOfTheEvents()
    {
        Gen<(int Step, bool Marked)> event_ = from step in Gen.Frequency((8, Gen.Choose(0, 120)), (1, Gen.Choose(0, 2500)))
                                              from marked in Gen.Elements(true, false)
                                              select (step, marked);
        Prop.ForAll(event_.ListOf().Resize(300).ToArbitrary(), events =>
        {
            var window = new RollingWindow(Length);
            List<(long Bucket, bool Marked)> naive = [];
            long now = 0;
            foreach ((int step, bool marked) in events)
            {
                now += step;
                window.Add(now, marked);
                naive.Add((now / Bucket, marked));
                naive.RemoveAll(e => e.Bucket <= (now / Bucket) - RollingWindow.Buckets);
                if (window.Read(now) != (naive.Count, naive.Count(static e => e.Marked))) throw new InvalidOperationException($"at {now}");
            }
        }).Check(FsCheck.Config.QuickThrowOnFailure.WithMaxTest(300));
    }

    [Fact]
    public async Task ManyThreads_LoseNothing()
    {
        var window = new RollingWindow(Length);
        const int Each = 200_000;
        await Task.WhenAll(Enumerable.Range(0, 4).Select(t => Task.Run(() =>
        {
            for (int i = 0; i < Each; i++) window.Add(i / 1000, marked: t == 0);
        })));
        Assert.Equal((4 * Each, Each), window.Read(200));
    }
}
