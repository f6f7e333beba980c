using System.Text;
using System.Text.Json;
using Gateway.Bench.Micro.Cases;

namespace Gateway.Core.Tests;

/// <summary>The gate of bench/budgets.json, without the time that benchmarks take.</summary>
public sealed class AllocationBudgetTests
{
    [Fact]
    public void EachMeasuredOperation_StaysInItsBudget_AndHasOne()
    {
        using JsonDocument budgets = JsonDocument.Parse(File.ReadAllText(Path.Combine(AppContext.BaseDirectory, "budgets.json")));
        Dictionary<string, long> budget = budgets.RootElement.GetProperty("core").EnumerateObject().ToDictionary(static p => p.Name, static p => p.Value.GetInt64());
        var wrong = new StringBuilder();
        foreach ((string name, int times, Action run) in CoreOperations.All())
        {
            long used = BytesPerRun(run, times);
            if (!budget.Remove(name, out long allowed)) wrong.AppendLine($"\"{name}\": {used} has no budget");
            else if (used > allowed) wrong.AppendLine($"\"{name}\": {used} is more than {allowed}");
        }
        foreach (string name in budget.Keys) wrong.AppendLine($"\"{name}\" is no operation");
        Assert.True(wrong.Length == 0, wrong.ToString());
    }

    [Fact]
    public void TheMeasure_SeesAnAllocation()
    {
        object? kept = null;
        Assert.InRange(BytesPerRun(() => kept = new object(), 1000), 16, 32);
        GC.KeepAlive(kept);
    }

    // The least of three rounds, each rounded up so that one allocation in a round shows: what happens once (an automaton completed, a
    // pool trimmed by a collection and filled again) is no cost of the operation.
    private static long BytesPerRun(Action run, int times)
    {
        long least = long.MaxValue;
        for (int round = 0; round < 3; round++)
        {
            long before = GC.GetAllocatedBytesForCurrentThread();
            for (int i = 0; i < times; i++) run();
            least = Math.Min(least, (GC.GetAllocatedBytesForCurrentThread() - before + times - 1) / times);
        }
        return least;
    }
}
