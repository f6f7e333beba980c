using System.Diagnostics;

namespace Gateway.Bench.Load;

/// <param name="FirstAnswerMs">From the start of the process to the end of the first response that came through it.</param>
/// <param name="IdleMb">Resident two seconds after it.</param>
internal sealed record StartRow(int Round, double FirstAnswerMs, double IdleMb);

/// <summary>How long after its start the gateway answers, and what it takes then.</summary>
internal static class StartUp
{
    public const string Name = "start";
    private const int Rounds = 5;

    public static async Task<IReadOnlyList<StartRow>> MeasureAsync(Contestants contestants)
    {
        var rows = new List<StartRow>();
        for (int round = 1; round <= Rounds; round++)
        {
            using Contestant gateway = contestants.Gateway(cores: "0,1");
            using var http = new HttpClient();
            long started = Stopwatch.GetTimestamp();
            await gateway.StartAsync();
            using (HttpResponseMessage response = await http.GetAsync(gateway.Url(Scenario.All[0]))) response.EnsureSuccessStatusCode();
            double took = Stopwatch.GetElapsedTime(started).TotalMilliseconds;
            await Task.Delay(TimeSpan.FromSeconds(2));
            rows.Add(new StartRow(round, took, ProcessTree.Read(gateway.Process.Id).ResidentBytes / 1048576.0));
            Console.Error.WriteLine($"{Name}: {rows[^1]}");
        }
        return rows;
    }
}
