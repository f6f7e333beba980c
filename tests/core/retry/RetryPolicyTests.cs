using Gateway.Core.Retry;

namespace Gateway.Core.Tests.Retry;

public sealed class RetryPolicyTests
{
    private static readonly RetryPolicy Default = new(2, RetryConditions.Connect | RetryConditions.Reset | RetryConditions.Refused);

    [Theory]
    [InlineData("GET", true)]
    [InlineData("HEAD", true)]
    [InlineData("OPTIONS", true)]
    [InlineData("TRACE", true)]
    [InlineData("PUT", true)]
    [InlineData("DELETE", true)]
    [InlineData("POST", false)]
    [InlineData("PATCH", false)]
    [InlineData("get", false)]
    [InlineData("PURGE", false)]
    public void AReset_IsRetriedWhereTheMethodIsIdempotent(string method, bool allowed)
    {
        Assert.Equal(allowed, Default.Allows(RetryConditions.Reset, 0, method, notProcessed: false));
        Assert.True(Default.Allows(RetryConditions.Connect, 0, method, notProcessed: true));
        Assert.True(new RetryPolicy(2, RetryConditions.Reset, anyMethod: true).Allows(RetryConditions.Reset, 0, method, notProcessed: false));
    }

    [Theory]
    [InlineData(RetryConditions.Timeout, 0, false)]
    [InlineData(RetryConditions.None, 500, false)]
    [InlineData(RetryConditions.None, 503, false)]
    [InlineData(RetryConditions.Refused, 0, true)]
    public void OnlyWhatTheRouteRetriesOn_IsRetried(RetryConditions happened, int status, bool allowed) =>
        Assert.Equal(allowed, Default.Allows(happened, status, "GET", notProcessed: false));

    [Theory]
    [InlineData(499, false, false)]
    [InlineData(500, true, false)]
    [InlineData(501, true, false)]
    [InlineData(502, true, true)]
    [InlineData(504, true, true)]
    [InlineData(505, true, false)]
    [InlineData(599, true, false)]
    [InlineData(600, false, false)]
    public void ServerErrorsAre500To599_GatewayErrors502To504(int status, bool server, bool gateway)
    {
        Assert.Equal(server, new RetryPolicy(2, RetryConditions.ServerError).Allows(RetryConditions.None, status, "GET", notProcessed: false));
        Assert.Equal(gateway, new RetryPolicy(2, RetryConditions.GatewayError).Allows(RetryConditions.None, status, "GET", notProcessed: false));
    }

    [Fact]
    public void Codes_AreThoseNamed()
    {
        var policy = new RetryPolicy(2, RetryConditions.None, [429, 511]);
        foreach (int status in Enumerable.Range(100, 500)) Assert.Equal(status is 429 or 511, policy.Allows(RetryConditions.None, status, "GET", notProcessed: false));
    }

    [Fact]
    public void Backoff_IsUniformBetweenNothingAndADoublingCeiling()
    {
        var backoff = new Backoff(TimeSpan.FromMilliseconds(25), TimeSpan.FromMilliseconds(250));
        foreach ((int retry, int ceiling) in new[] { (1, 25), (2, 50), (3, 100), (4, 200), (5, 250), (64, 250), (int.MaxValue, 250) })
        {
            Assert.Equal(TimeSpan.Zero, backoff.Delay(retry, 0));
            Assert.Equal(ceiling, backoff.Delay(retry, ulong.MaxValue).TotalMilliseconds);
            Assert.Equal(ceiling / 2.0, backoff.Delay(retry, 1UL << 63).TotalMilliseconds, 3);
        }
    }

    [Theory]
    [InlineData("0", 0)]
    [InlineData(" 120 ", 120)]
    [InlineData("Fri, 20 Nov 2026 10:01:00 GMT", 60)]
    [InlineData("Friday, 20-Nov-26 10:01:00 GMT", 60)]
    [InlineData("Fri Nov 20 10:01:00 2026", 60)]
    [InlineData("Fri Nov  6 10:01:00 2026", 0)]
    [InlineData("Fri, 20 Nov 2026 09:00:00 GMT", 0)]
    public void RetryAfter_IsSecondsOrADate(string value, int seconds)
    {
        Assert.True(RetryAfter.TryParse(value, new DateTimeOffset(2026, 11, 20, 10, 0, 0, TimeSpan.Zero), out TimeSpan delay));
        Assert.Equal(seconds, delay.TotalSeconds);
    }

    [Theory]
    [InlineData("")]
    [InlineData("-1")]
    [InlineData("1.5")]
    [InlineData("soon")]
    [InlineData("99999999999999999999")]
    [InlineData("9999999999")]
    [InlineData("2026-11-20T10:00:00Z")]
    public void ARetryAfterOfNoForm_IsRefused(string value) => Assert.False(RetryAfter.TryParse(value, default, out _));
}
