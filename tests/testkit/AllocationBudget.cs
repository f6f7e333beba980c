using System.Text;
using System.Text.Json;

namespace Gateway.TestKit;

/// <summary>The gate of bench/budgets.json, without the time that benchmarks take.</summary>
public static class AllocationBudget
{
    /// <summary>What is wrong with a section, a line each: an operation over its budget, or without one, or a budget without an operation. Empty when nothing is.</summary>
    public static string Violations(string section, IEnumerable<(string Name, int Times, Action Run)> operations)
    {
        Dictionary<string, long> budget = Section(section);
        var wrong = new StringBuilder();
        foreach ((string name, int times, Action run) in operations)
        {
            long used = BytesPerRun(run, times);
            if (!budget.Remove(name, out long allowed)) wrong.AppendLine($"\"{name}\": {used} has no budget");
            else if (used > allowed) wrong.AppendLine($"\"{name}\": {used} is more than {allowed}");
        }
        foreach (string name in budget.Keys) wrong.AppendLine($"\"{name}\" is no operation");
        return wrong.ToString();
    }

    /// <summary>The budget of one operation, for what is measured in another way than here.</summary>
    public static long Of(string section, string operation) => Section(section)[operation];

    private static Dictionary<string, long> Section(string name)
    {
        using JsonDocument budgets = JsonDocument.Parse(File.ReadAllText(RepositoryRoot.PathOf("bench/budgets.json")));
        return budgets.RootElement.GetProperty(name).EnumerateObject().ToDictionary(static p => p.Name, static p => p.Value.GetInt64());
    }

    /// <summary>
    /// The least of three rounds, each rounded up so that one allocation in a round shows: what happens once (an automaton completed, a pool
    /// trimmed by a collection and filled again) is no cost of the operation.
    /// </summary>
    public static long BytesPerRun(Action run, int times)
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
