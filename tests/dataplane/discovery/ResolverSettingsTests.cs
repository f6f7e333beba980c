using System.Net;
using Gateway.DataPlane.Discovery;
using Xunit;

namespace Gateway.DataPlane.Tests.Discovery;

/// <summary>What is read of resolv.conf(5), with glibc's limits at the limit and one beyond.</summary>
public sealed class ResolverSettingsTests
{
    private static string Lines(string word, int count) => string.Concat(Enumerable.Range(1, count).Select(i => $"{word} 192.0.2.{i}\n"));

    [Theory]
    [InlineData(0, 0)]
    [InlineData(3, 3)]
    [InlineData(4, 3)]
    public void Servers_AreThreeAtMost_TheFirstOnes(int named, int used) =>
        Assert.Equal(Enumerable.Range(1, used).Select(static i => new IPEndPoint(IPAddress.Parse($"192.0.2.{i}"), 53)), ResolverSettings.Parse(Lines("nameserver", named)).Servers);

    [Theory]
    [InlineData(6, 6)]
    [InlineData(7, 6)]
    public void SearchDomains_AreSixAtMost(int named, int used) =>
        Assert.Equal(
            Enumerable.Range(1, used).Select(static i => $"d{i}.test"),
            ResolverSettings.Parse($"search {string.Join(' ', Enumerable.Range(1, named).Select(static i => $"d{i}.test"))}\n").Search);

    [Theory]
    [InlineData("", 1)]
    [InlineData("options ndots:0", 0)]
    [InlineData("options ndots:15", 15)]
    [InlineData("options ndots:16", 15)]
    [InlineData("options rotate ndots:5 timeout:1", 5)]
    [InlineData("options ndots:-1", 1)]
    [InlineData("options ndots:many", 1)]
    public void Dots_AreFifteenAtMost_AndWhatIsNoNumberIsPassedOver(string line, int dots) => Assert.Equal(dots, ResolverSettings.Parse(line).Dots);

    [Theory]
    [InlineData("# nameserver 192.0.2.1\n; nameserver 192.0.2.2\nnameserver\nnameserver nobody\nnonsense\n\n")]
    [InlineData("\r\n\tnameserver\t \n")]
    public void LinesThatAreNotUnderstood_ArePassedOver(string text)
    {
        ResolverSettings settings = ResolverSettings.Parse(text + "  nameserver\t2001:db8::1 \r\n");
        Assert.Equal([new IPEndPoint(IPAddress.Parse("2001:db8::1"), 53)], settings.Servers);
        Assert.Empty(settings.Search);
    }

    [Theory]
    [InlineData("domain a.test\nsearch b.test c.test", "b.test c.test")]
    [InlineData("search b.test c.test\ndomain a.test", "a.test")]
    [InlineData("search b.test. .", "b.test")]
    public void TheLastOfSearchAndDomain_Counts(string text, string search) => Assert.Equal(search, string.Join(' ', ResolverSettings.Parse(text).Search));

    [Theory]
    // As many dots as ndots: as it stands first; with one dot less the search domains come first.
    [InlineData(2, "a.b.c", "a.b.c a.b.c.x.test a.b.c.y.test")]
    [InlineData(2, "a.b", "a.b.x.test a.b.y.test a.b")]
    [InlineData(0, "a", "a a.x.test a.y.test")]
    [InlineData(15, "a.b.c.", "a.b.c")]
    public void ANameIsTried_AsItStandsAndInTheSearchDomains(int dots, string name, string tried) =>
        Assert.Equal(tried, string.Join(' ', new ResolverSettings([], ["x.test", "y.test"], dots).CandidatesOf(name)));
}
