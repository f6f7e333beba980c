using Gateway.Bench.Micro.Documents;
using Gateway.TestKit;
using Xunit;

namespace Gateway.ControlPlane.Tests.Configuration;

/// <summary>Section "config" of bench/budgets.json.</summary>
public sealed class ConfigBudgetTests
{
    [Fact]
    public void EachMeasuredOperation_StaysInItsBudget_AndHasOne() => Assert.Equal("", AllocationBudget.Violations("config", ConfigOperations.All()));
}
