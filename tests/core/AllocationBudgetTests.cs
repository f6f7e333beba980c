using Gateway.Bench.Micro.Cases;
using Gateway.TestKit;

namespace Gateway.Core.Tests;

/// <summary>Section "core" of bench/budgets.json, and the measure behind all of its sections.</summary>
public sealed class AllocationBudgetTests
{
    [Fact]
    public void EachMeasuredOperation_StaysInItsBudget_AndHasOne() => Assert.Equal("", AllocationBudget.Violations("core", CoreOperations.All().Concat(Http1Operations.All()).Concat(OutlierOperations.All()).Concat(LimitOperations.All())));

    [Fact]
    public void TheMeasure_SeesAnAllocation()
    {
        object? kept = null;
        Assert.InRange(AllocationBudget.BytesPerRun(() => kept = new object(), 1000), 16, 32);
        GC.KeepAlive(kept);
    }

    [Fact]
    public void TheGate_NamesWhatIsOverAndWhatHasNoBudget() =>
        Assert.Contains("has no budget", AllocationBudget.Violations("core", [("Nobody.Knows", 1, static () => { })]), StringComparison.Ordinal);
}
