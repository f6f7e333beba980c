using System.Collections.Concurrent;
using System.Text;
using Gateway.Functional.Tests.Harness;
using Gateway.TestKit;
using Xunit;

namespace Gateway.Functional.Tests.Transport;

/// <summary>A gateway on event loops and one on .NET's sockets before the same scripted origin: what holds for connections holds on both.</summary>
public sealed class TransportSites : IAsyncLifetime
{
    public const int LargeBody = 10 * 1024 * 1024;

    private static readonly byte[] Piece = [.. Enumerable.Range(0, 64 * 1024).Select(static i => (byte)('a' + i % 26))];

    private readonly Dictionary<string, GatewayProcess> _gateways = [];
    // Told once, to the test that found them.
    private readonly ConcurrentDictionary<GatewayProcess, int> _errorsSeen = new();
    private long _sent;

    public static TheoryData<string> Transports => ["epoll", "sockets"];

    public RawOrigin Origin { get; private set; } = null!;

    /// <summary>Connections of the origin by the <c>id</c> of the request that they are at, or were at last.</summary>
    public ConcurrentDictionary<string, RawConnection> ById { get; } = new();

    /// <summary>Bytes of large bodies that the origin has been able to send.</summary>
    public long LargeBytesSent => Interlocked.Read(ref _sent);

    public GatewayProcess this[string transport] => _gateways[transport];

    public async ValueTask InitializeAsync()
    {
        Origin = RawOrigin.Start(ServeAsync);
        string config = Doc.Of(
            Doc.Route("all", more: "\"bodyBytes\": 0, \"retry\": { \"attempts\": 1 }"), Doc.Pool("main", Origin.Address), more: Doc.NoAccessLog,
            listeners: """{ "name": "web", "address": "127.0.0.1:0", "limits": { "connections": 0, "headerTimeout": "60s" } }""");
        foreach (string transport in Transports.Select(static row => row.Data))
            _gateways[transport] = await GatewayProcess.StartAsync(config, new GatewayProcessOptions { Arguments = ["--transport", transport] });
    }

    /// <summary>A request, and the connection of the origin at which it has arrived.</summary>
    public async Task<RawConnection> ArrivedAsync(string id)
    {
        await Eventually.Until($"the request {id} is at the origin", () => ById.ContainsKey(id));
        return ById[id];
    }

    /// <summary>Everything of earlier connections is gone: none open, none in flight, none in use towards the origin; and the gateway has nothing to complain of.</summary>
    public async Task QuietAsync(GatewayProcess gateway)
    {
        await Eventually.Until("nothing of the connections is left", async () =>
        {
            MetricSamples metrics = await gateway.MetricsAsync();
            return metrics.Sum("gateway_connections") == 0 && metrics.Sum("gateway_requests_in_flight") == 0
                && metrics.Sum("gateway_upstream_connections", "state=\"active\"") == 0;
        });
        string[] errors = [.. gateway.Error.Where(static line => line.Contains(" error ", StringComparison.Ordinal)).Skip(_errorsSeen.GetValueOrDefault(gateway))];
        _errorsSeen[gateway] = _errorsSeen.GetValueOrDefault(gateway) + errors.Length;
        Assert.True(errors.Length == 0, string.Join('\n', errors));
    }

    // /echo: method, target and body.  /hold: never.  /half: some of a body and then nothing.  /large: much.  An upgrade: echoes bytes.
    private async Task ServeAsync(RawConnection connection)
    {
        while (await connection.ReadHeadAsync() is { } head)
        {
            string target = head.Split(' ')[1];
            if (RawConnection.HeaderOf(head, "id") is { } id) ById[id] = connection;
            if (RawConnection.HeaderOf(head, "upgrade") is not null)
            {
                await connection.SendAsync("HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: echo\r\n\r\n");
                for (byte[] some; (some = await connection.ReadSomeAsync()).Length > 0;) await connection.SendAsync(some);
                return;
            }
            switch (target)
            {
                case "/hold":
                    _ = await connection.WaitForEndAsync();
                    return;
                case "/half":
                    await connection.SendAsync("HTTP/1.1 200 OK\r\nContent-Length: 1000000\r\n\r\nhalf");
                    _ = await connection.WaitForEndAsync();
                    return;
                case "/large":
                    await connection.SendAsync($"HTTP/1.1 200 OK\r\nContent-Length: {LargeBody}\r\n\r\n");
                    for (int left = LargeBody; left > 0; left -= Piece.Length)
                    {
                        await connection.SendAsync(Piece);
                        Interlocked.Add(ref _sent, Piece.Length);
                    }
                    continue;
            }
            byte[] body = await connection.ReadBodyAsync(head);
            await connection.RespondAsync(200, $"{head.Split(' ')[0]} {target} {Encoding.Latin1.GetString(body)}");
        }
    }

    public async ValueTask DisposeAsync()
    {
        foreach (GatewayProcess gateway in _gateways.Values) await gateway.DisposeAsync();
        if (Origin is not null) await Origin.DisposeAsync();
    }
}
