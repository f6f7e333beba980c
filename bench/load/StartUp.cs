using System.Diagnostics;
using System.Net.Sockets;
using System.Text;

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
        // The first is not counted: what measures is compiled too.
        for (int round = 0; round <= Rounds; round++)
        {
            using Contestant gateway = contestants.Gateway(cores: "0,1");
            long started = Stopwatch.GetTimestamp();
            await gateway.StartAsync();
            await AskAsync(gateway.BasePort);
            double took = Stopwatch.GetElapsedTime(started).TotalMilliseconds;
            await Task.Delay(TimeSpan.FromSeconds(2));
            if (round == 0) continue;
            rows.Add(new StartRow(round, took, ProcessTree.Read(gateway.Process.Id).ResidentBytes / 1048576.0));
            Console.Error.WriteLine($"{Name}: {rows[^1]}");
        }
        return rows;
    }

    /// <summary>A request by hand: a client of HTTP takes as long to start as the gateway's answer.</summary>
    private static async Task AskAsync(int port)
    {
        using var socket = new Socket(SocketType.Stream, ProtocolType.Tcp);
        await socket.ConnectAsync("127.0.0.1", port);
        await socket.SendAsync("GET /small HTTP/1.1\r\nHost: bench\r\n\r\n"u8.ToArray());
        byte[] answer = new byte[4096];
        int n = await socket.ReceiveAsync(answer);
        if (!answer.AsSpan(0, n).StartsWith("HTTP/1.1 200"u8)) throw new InvalidOperationException($"the gateway answered {Encoding.Latin1.GetString(answer, 0, n)}");
    }
}
