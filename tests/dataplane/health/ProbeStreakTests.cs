using Gateway.DataPlane.Health;
using Xunit;

namespace Gateway.DataPlane.Tests.Health;

public sealed class ProbeStreakTests
{
    /// <summary>Answers as + and -, and the verdict after each.</summary>
    [Theory]
    [InlineData(null, "+", "+")]
    [InlineData(null, "-", "-")]
    [InlineData(null, "+--+---", "+++++" + "+-")]
    [InlineData(null, "-+-++", "----+")]
    [InlineData(true, "--+---", "+++++-")]
    [InlineData(false, "+-++", "---+")]
    public void TheFirstAnswerDecides_LaterOnesWhenThereAreEnoughInARow(bool? known, string answers, string verdicts)
    {
        var streak = new ProbeStreak(unhealthyAfter: 3, healthyAfter: 2, known);
        string seen = "";
        foreach (char answer in answers)
        {
            bool? before = streak.Verdict;
            Assert.Equal(streak.Add(answer == '+'), streak.Verdict != before);
            seen += streak.Verdict == true ? '+' : '-';
        }
        Assert.Equal(verdicts, seen);
    }

    [Fact]
    public void Length_IsThatOfTheLastRow()
    {
        var streak = new ProbeStreak(3, 2, null);
        foreach (bool good in (bool[])[true, true, false, false, false, false]) streak.Add(good);
        Assert.Equal(4, streak.Length);
    }
}
