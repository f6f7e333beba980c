using System.Net.Sockets;
using System.Text;

namespace Gateway.Bench.Load;

/// <param name="BaseMb">Resident before the connections, with code and pools warm.</param>
internal sealed record IdleRow(string Contestant, double BaseMb, double WithMb)
{
    public double KilobytesPerConnection => (WithMb - BaseMb) * 1024 / IdleMemory.Connections;
}

/// <summary>What a connection costs that has had one request and waits for the next: the growth of a fresh process by 5 000 of them, all open.</summary>
internal static class IdleMemory
{
    public const string Name = "idle memory";
    public const int Connections = 5000;
    private const int WarmUpRequests = 2000;

    private static readonly byte[] Request = Encoding.ASCII.GetBytes("GET /small HTTP/1.1\r\nHost: a.test\r\n\r\n");

    public static async Task<IReadOnlyList<IdleRow>> MeasureAsync(IReadOnlyList<Contestant> contestants)
    {
        var rows = new List<IdleRow>();
        foreach (Contestant contestant in contestants)
        {
            using (contestant)
            {
                await contestant.StartAsync();
                // Over one connection, so that it is code that becomes warm and not memory of connections.
                using (Socket warm = await ConnectAsync(contestant.BasePort))
                {
                    for (int i = 0; i < WarmUpRequests; i++) await ExchangeAsync(warm);
                }
                double before = await ResidentAsync(contestant);
                var open = new List<Socket>(Connections);
                try
                {
                    for (int i = 0; i < Connections; i++)
                    {
                        open.Add(await ConnectAsync(contestant.BasePort));
                        await ExchangeAsync(open[i]);
                    }
                    rows.Add(new IdleRow(contestant.Name, before, await ResidentAsync(contestant)));
                    Console.Error.WriteLine($"{Name}: {rows[^1]}");
                }
                finally
                {
                    foreach (Socket socket in open) socket.Dispose();
                }
            }
        }
        return rows;
    }

    private static async Task<Socket> ConnectAsync(int port)
    {
        var socket = new Socket(SocketType.Stream, ProtocolType.Tcp) { NoDelay = true };
        await socket.ConnectAsync("127.0.0.1", port);
        return socket;
    }

    // The body of /small is 130 times x, and nothing of the head ends so.
    private static async Task ExchangeAsync(Socket socket)
    {
        byte[] buffer = new byte[4096];
        await socket.SendAsync(Request);
        int got = 0;
        while (got < 130 || !buffer.AsSpan(got - 130, 130).SequenceEqual(Body))
        {
            int read = await socket.ReceiveAsync(buffer.AsMemory(got));
            if (read == 0) throw new IOException("the connection was closed");
            got += read;
        }
    }

    private static ReadOnlySpan<byte> Body => "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx"u8;

    private static async Task<double> ResidentAsync(Contestant contestant)
    {
        // What was begun for the last request ends, and timers that trim have their turn.
        await Task.Delay(TimeSpan.FromSeconds(2));
        return ProcessTree.Read(contestant.Process.Id).ResidentBytes / 1048576.0;
    }
}
