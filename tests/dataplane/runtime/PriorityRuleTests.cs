using Gateway.DataPlane.Runtime;
using Xunit;

namespace Gateway.DataPlane.Tests.Runtime;

public sealed class PriorityRuleTests
{
    [Theory]
    [InlineData("0", 0)]
    [InlineData(" 7 ", 7)]
    [InlineData("u=5", 5)]
    [InlineData("u=2, i", 2)]
    [InlineData("i, u=6", 6)]
    [InlineData("8", 3)]
    [InlineData("-1", 3)]
    [InlineData("12", 3)]
    [InlineData("u=", 3)]
    [InlineData("urgent", 3)]
    [InlineData("", 3)]
    public void ADigit_AloneOrAsTheUrgencyOfRfc9218(string text, int priority) => Assert.Equal(priority, PriorityRule.Read(text, otherwise: 3));
}
