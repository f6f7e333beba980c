using System.Net;
using Gateway.ControlPlane.Admin;
using Xunit;

namespace Gateway.ControlPlane.Tests.Admin;

public sealed class LoginGuardTests
{
    private sealed class Clock : TimeProvider
    {
        public DateTimeOffset Now { get; set; } = DateTimeOffset.UnixEpoch;

        public override DateTimeOffset GetUtcNow() => Now;
    }

    private readonly Clock _clock = new();
    private readonly IPAddress _address = IPAddress.Parse("192.0.2.1");

    private void Fail(LoginGuard guard, int times)
    {
        for (int i = 0; i < times; i++) _ = guard.Failed(_address);
    }

    [Fact]
    public void OneFailureBelowTheLimit_LocksNobodyOut_AndTheLimitDoes()
    {
        LoginGuard guard = new(_clock);
        Fail(guard, LoginGuard.MostFailures - 1);
        Assert.Equal(TimeSpan.Zero, guard.LockedFor(_address));
        Assert.True(guard.Failed(_address));
        Assert.Equal(LoginGuard.LockOut, guard.LockedFor(_address));
        Assert.Equal(TimeSpan.Zero, guard.LockedFor(IPAddress.Parse("192.0.2.2")));
    }

    [Fact]
    public void ALockOut_EndsWithItsTime_AndAtOneTickLess_ItHolds()
    {
        LoginGuard guard = new(_clock);
        Fail(guard, LoginGuard.MostFailures);
        _clock.Now += LoginGuard.LockOut - TimeSpan.FromTicks(1);
        Assert.Equal(TimeSpan.FromTicks(1), guard.LockedFor(_address));
        _clock.Now += TimeSpan.FromTicks(1);
        Assert.Equal(TimeSpan.Zero, guard.LockedFor(_address));
    }

    [Fact]
    public void FailuresLongAgo_AndThoseBeforeASuccess_DoNotCount()
    {
        LoginGuard guard = new(_clock);
        Fail(guard, LoginGuard.MostFailures - 1);
        _clock.Now += LoginGuard.Window;
        Fail(guard, LoginGuard.MostFailures - 1);
        Assert.Equal(TimeSpan.Zero, guard.LockedFor(_address));
        guard.Succeeded(_address);
        Fail(guard, LoginGuard.MostFailures - 1);
        Assert.Equal(TimeSpan.Zero, guard.LockedFor(_address));
    }

    [Fact]
    public void AWholeIPv6Network_IsOneAddress_AndMappedIPv4IsItsOwn()
    {
        LoginGuard guard = new(_clock);
        for (int i = 0; i < LoginGuard.MostFailures; i++) _ = guard.Failed(IPAddress.Parse($"2001:db8::{i}"));
        Assert.NotEqual(TimeSpan.Zero, guard.LockedFor(IPAddress.Parse("2001:db8::ffff")));
        Assert.Equal(TimeSpan.Zero, guard.LockedFor(IPAddress.Parse("2001:db8:0:1::1")));
        Fail(guard, LoginGuard.MostFailures);
        Assert.NotEqual(TimeSpan.Zero, guard.LockedFor(_address.MapToIPv6()));
    }

    [Fact]
    public void WhileLockedOut_SoManyTokensASecondAreLookedAt()
    {
        LoginGuard guard = new(_clock);
        Fail(guard, LoginGuard.MostFailures);
        for (int second = 0; second < 3; second++)
        {
            for (int i = 0; i < LoginGuard.MostChecks; i++) Assert.True(guard.MayCheck(_address));
            Assert.False(guard.MayCheck(_address));
            _clock.Now += TimeSpan.FromSeconds(1) - TimeSpan.FromTicks(1);
            Assert.False(guard.MayCheck(_address));
            _clock.Now += TimeSpan.FromTicks(1);
        }
        Assert.True(guard.MayCheck(IPAddress.Parse("192.0.2.2")));
    }

    [Fact]
    public void AFloodOfAddresses_DoesNotGrowWithoutBound_NorFreeWhoIsLockedOutLast()
    {
        LoginGuard guard = new(_clock);
        for (int i = 0; i < 10_500; i++)
        {
            _clock.Now += TimeSpan.FromMicroseconds(1);
            _ = guard.Failed(new IPAddress(0x0A000000 + i));
        }
        Fail(guard, LoginGuard.MostFailures);
        Assert.NotEqual(TimeSpan.Zero, guard.LockedFor(_address));
        Assert.InRange(guard.Remembered, 1, 10_000);
    }
}
