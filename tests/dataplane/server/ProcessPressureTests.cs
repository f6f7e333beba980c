using Gateway.Config;
using Gateway.DataPlane.Runtime;
using Gateway.DataPlane.Server;
using Gateway.DataPlane.Transport;
using Microsoft.Extensions.Logging.Abstractions;
using Xunit;

namespace Gateway.DataPlane.Tests.Server;

public sealed class ProcessPressureTests
{
    private readonly LoadShedder _shedder = new();
    private readonly ProcessPressure _pressure;

    private readonly AcceptGate _gate = new();
    private readonly Clock _clock = new();
    private int _collected;

    public ProcessPressureTests() => _pressure = new ProcessPressure(_shedder, _gate, [], _clock, NullLogger.Instance) { Collect = () => _collected++ };

    private sealed class Clock : TimeProvider
    {
        private long _now = TimeSpan.FromDays(1).Ticks;

        public override long TimestampFrequency => TimeSpan.TicksPerSecond;

        public override long GetTimestamp() => _now;

        public void Advance(double seconds) => _now += TimeSpan.FromSeconds(seconds).Ticks;
    }

    private double After(int looks, double delay, double memory)
    {
        for (int i = 0; i < looks; i++) _pressure.Look(delay, memory);
        return _shedder.Pressure;
    }

    [Theory]
    [InlineData(90, 0)]
    [InlineData(92.5, 0.5)]
    [InlineData(95, 1)]
    [InlineData(100, 1)]
    public void Memory_CountsFromTheThresholdOn(double percent, double pressure) => Assert.Equal(pressure, After(1, 0, percent), 6);

    [Theory]
    [InlineData(1000, 0)]
    [InlineData(1040, 0.01)]
    [InlineData(5000, 1)]
    public void ADelay_CountsFromASecondOn_AndTurnsAllAwayAtFive(double delay, double pressure) => Assert.Equal(pressure, After(10, delay, 0), 6);

    [Fact]
    public void ADelay_CountsWhenItHasLastedForASecond_AndNoMoreAsSoonAsItIsOver()
    {
        Assert.Equal(0, After(9, 3000, 0));
        Assert.Equal(0.5, After(1, 3000, 0), 6);
        Assert.Equal(1, After(10, 8000, 0));
        Assert.Equal(0, After(1, 5, 0));
    }

    [Theory]
    [InlineData(0, 94.9, false)]
    [InlineData(0, 95, true)]
    // However long work waits: those who are connected are told so, and new ones too.
    [InlineData(60_000, 94.9, false)]
    public void ShortOfMemoryForAllRequests_NothingIsAcceptedEither(double delay, double memory, bool closed)
    {
        After(10, delay, memory);
        Assert.Equal((closed, closed ? 1L : 0L, closed ? 1 : 0), (_gate.IsClosed, _gate.Closings, _collected));
        Assert.Equal(!closed, _gate.WhenOpen.IsCompleted);
        After(1, 0, 94.9);
        Assert.False(_gate.IsClosed);
        Assert.True(_gate.WhenOpen.IsCompleted);
    }

    [Fact]
    public void WhileNothingIsAccepted_MemoryIsGivenBackNowAndThen()
    {
        After(50, 0, 99);
        Assert.Equal(1, _collected);
        _clock.Advance(9.9);
        After(1, 0, 99);
        Assert.Equal(1, _collected);
        _clock.Advance(0.1);
        After(2, 0, 99);
        Assert.Equal((2, 1L), (_collected, _gate.Closings));
        After(1, 0, 50);
        // Another time, it does not wait.
        After(1, 0, 99);
        Assert.Equal((3, 2L), (_collected, _gate.Closings));
    }

    [Fact]
    public void TheHarderOfBoth_Counts() => Assert.Equal(0.75, After(10, 4000, 91), 6);

    [Theory]
    [InlineData("10.1.2.3", "::ffff:10.1.2.3", true)]
    [InlineData("2001:db8:1:2::1", "2001:db8:1:2:ffff::2", true)]
    [InlineData("2001:db8:1:2::1", "2001:db8:1:3::1", false)]
    [InlineData("10.1.2.3", "10.1.2.4", false)]
    public void AClientIsItsAddress_OverIpv6ItsNetwork(string one, string other, bool same) =>
        Assert.Equal(same, AddressRate.KeyOf(System.Net.IPAddress.Parse(one)) == AddressRate.KeyOf(System.Net.IPAddress.Parse(other)));

    [Fact]
    public async Task TurnedOff_NothingCounts()
    {
        _pressure.Follow(new ProcessOverloadConfig { MemoryPercent = 0, QueueDelay = TimeSpan.Zero });
        Assert.Equal(0, After(10, 60_000, 100));
        await _pressure.StopAsync();
    }
}
