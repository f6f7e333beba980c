using Gateway.Bench.Micro.Cases;
using Gateway.TestKit;
using Xunit;

namespace Gateway.DataPlane.Tests.Obs;

/// <summary>Section "obs" of bench/budgets.json.</summary>
public sealed class ObsAllocationTests
{
    [Fact]
    public async Task EachMeasuredOperation_StaysInItsBudget_AndHasOne()
    {
        await using LogFixture fixture = new();
        Assert.Equal("", AllocationBudget.Violations("obs", ObsOperations.All(fixture.Log)));
    }
}
