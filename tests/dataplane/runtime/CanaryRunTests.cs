using FsCheck;
using FsCheck.Fluent;
using Gateway.Config;
using Gateway.DataPlane.Runtime;
using Xunit;

namespace Gateway.DataPlane.Tests.Runtime;

public sealed class CanaryRunTests
{
    private static CanaryRun Run(string salt) =>
        new(new GatewaySnapshot("candidate"), [], new RequestKey(RequestKeyKind.Header, "x"), salt, new CanaryCounts([], [], TimeProvider.System));

    /// <summary>Who is below a share is below every larger one, for the bucket is the key's and the salt's alone.</summary>
    [Fact]
    public void ABucket_IsOfTheKeyAndTheSaltAlone() => Prop.ForAll<NonEmptyString, NonEmptyString>(static (salt, key) =>
    {
        int bucket = Run(salt.Get).BucketOf(key.Get);
        return bucket == Run(salt.Get).BucketOf(key.Get) && bucket is >= 0 and < CanaryRun.Units;
    }).QuickCheckThrowOnFailure();

    [Theory]
    [InlineData("user-")]
    [InlineData("10.0.0.")]
    public void AShareOfManyKeys_IsTheShare(string prefix)
    {
        const int Keys = 200_000;
        CanaryRun run = Run("v1");
        int[] buckets = [.. Enumerable.Range(0, Keys).Select(i => run.BucketOf($"{prefix}{i}"))];
        foreach (int units in (int[])[1, 10, 50, 100, 1000, 5000, 9999])
        {
            double share = units / (double)CanaryRun.Units, expected = Keys * share;
            // Five standard deviations: the keys are what they are, so it holds always or never.
            Assert.InRange(buckets.Count(b => b < units), expected - (5 * Math.Sqrt(expected)) - 1, expected + (5 * Math.Sqrt(expected)) + 1);
        }
    }

    [Fact]
    public void AnotherSalt_DrawsOthers()
    {
        CanaryRun one = Run("v1"), other = Run("v2");
        string[] first = [.. Enumerable.Range(0, 100_000).Select(static i => $"user-{i}").Where(user => one.BucketOf(user) < 100)];
        Assert.InRange(first.Count(user => other.BucketOf(user) < 100), 0, 40);
    }

    [Fact]
    public void WithoutAKey_ChanceDraws()
    {
        CanaryRun run = Run("v1");
        Assert.InRange(Enumerable.Range(0, 100).Select(_ => run.BucketOf("")).Distinct().Count(), 50, 100);
    }
}
