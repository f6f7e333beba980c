using System.Text;
using System.Text.Json;
using Gateway.Bench.Micro.Documents;
using Xunit;

namespace Gateway.ControlPlane.Tests.Configuration;

/// <summary>Section "config" of bench/budgets.json, without the time that benchmarks take.</summary>
public sealed class ConfigBudgetTests
{
    [Fact]
    public void EachMeasuredOperation_StaysInItsBudget_AndHasOne()
    {
        using JsonDocument budgets = JsonDocument.Parse(File.ReadAllText(Path.Combine(Golden.Root, "bench", "budgets.json")));
        Dictionary<string, long> budget = budgets.RootElement.GetProperty("config").EnumerateObject().ToDictionary(static p => p.Name, static p => p.Value.GetInt64());
        var wrong = new StringBuilder();
        foreach ((string name, int times, Action run) in ConfigOperations.All())
        {
            long used = BytesPerRun(run, times);
            if (!budget.Remove(name, out long allowed)) wrong.AppendLine($"\"{name}\": {used} has no budget");
            else if (used > allowed) wrong.AppendLine($"\"{name}\": {used} is more than {allowed}");
        }
        foreach (string name in budget.Keys) wrong.AppendLine($"\"{name}\" is no operation");
        Assert.True(wrong.Length == 0, wrong.ToString());
    }

    // The least of three rounds: what happens once is no cost of the operation.
    private static long BytesPerRun(Action run, int times)
    {
        long least = long.MaxValue;
        for (int round = 0; round < 3; round++)
        {
            long before = GC.GetAllocatedBytesForCurrentThread();
            for (int i = 0; i < times; i++) run();
            least = Math.Min(least, (GC.GetAllocatedBytesForCurrentThread() - before) / times);
        }
        return least;
    }
}
