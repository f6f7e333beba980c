using Gateway.Config;
using Gateway.DataPlane.Runtime;
using Gateway.DataPlane.Server;
using Microsoft.Extensions.Logging.Abstractions;
using Xunit;

namespace Gateway.DataPlane.Tests.Server;

public sealed class ProcessPressureTests
{
    private readonly LoadShedder _shedder = new();
    private readonly ProcessPressure _pressure;

    public ProcessPressureTests() => _pressure = new ProcessPressure(_shedder, [], TimeProvider.System, NullLogger.Instance);

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

    [Fact]
    public void ADelay_CountsWhenItHasLastedForASecond_AndNoMoreAsSoonAsItIsOver()
    {
        Assert.Equal(0, After(9, 3000, 0));
        Assert.Equal(0.5, After(1, 3000, 0), 6);
        Assert.Equal(1, After(10, 8000, 0));
        Assert.Equal(0, After(1, 5, 0));
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
