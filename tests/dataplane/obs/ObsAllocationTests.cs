using System.Text;
using System.Text.Json;
using Gateway.Bench.Micro.Cases;
using Xunit;

namespace Gateway.DataPlane.Tests.Obs;

/// <summary>The gate of section "obs" of bench/budgets.json.</summary>
public sealed class ObsAllocationTests
{
    [Fact]
    public async Task EachMeasuredOperation_StaysInItsBudget_AndHasOne()
    {
        using JsonDocument budgets = JsonDocument.Parse(await File.ReadAllTextAsync(Path.Combine(AppContext.BaseDirectory, "budgets.json"), TestContext.Current.CancellationToken));
        Dictionary<string, long> budget = budgets.RootElement.GetProperty("obs").EnumerateObject().ToDictionary(static p => p.Name, static p => p.Value.GetInt64());
        await using LogFixture fixture = new();
        StringBuilder wrong = new();
        foreach ((string name, int times, Action run) in ObsOperations.All(fixture.Log))
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

    // The least of three rounds, rounded up: what happens once is no cost of the operation.
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
