using System.Net;
using Gateway.Config;
using Gateway.DataPlane.Obs;

namespace Gateway.Bench.Micro.Cases;

/// <summary>What is recorded of each request: the operations of obs/ whose allocation has a budget, in section "obs" of bench/budgets.json.</summary>
internal static class ObsOperations
{
    /// <summary>Name, how often to run it, and what to run.</summary>
    public static IEnumerable<(string Name, int Times, Action Run)> All(AccessLog log)
    {
        GatewayMetrics metrics = new();
        RouteMetrics route = metrics.Route("route");
        PoolMetrics pool = metrics.Pool("pool");
        yield return ("RecordRequest", 10_000, () => route.Record(200, 0, 1_234_567));
        yield return ("RecordError", 10_000, () => route.Record(503, 3, 1_234_567));
        yield return ("RecordAttempt", 10_000, () => pool.RecordAttempt(0, 1_234_567));

        AccessLogEntry entry = Entry();
        yield return ("AccessLog.HandOver", 10_000, () =>
        {
            if (log.Wants(200)) log.Write(entry);
        }
        );

        LineBuffer line = new();
        AccessLogFormatter formatter = new(TimeProvider.System);
        foreach (AccessLogFormat format in Enum.GetValues<AccessLogFormat>())
        {
            AccessLogModel model = AccessLogModel.Compile(new AccessLogConfig { Format = format }, "/", []);
            yield return ($"AccessLog.Format.{format}", 10_000, () =>
            {
                line.Clear();
                formatter.Append(line, entry, model);
            }
            );
        }
    }

    public static AccessLogEntry Entry()
    {
        long now = TimeProvider.System.GetTimestamp();
        return new AccessLogEntry
        {
            RequestId = new RequestId(0x0199d0c2a7b17cc1, 0xb0b5a4c8f0a1b2c3),
            Method = "GET",
            Scheme = "https",
            Host = "shop.example.com",
            Target = "/api/v1/orders/4711?page=2",
            PathLength = 19,
            Protocol = "HTTP/1.1",
            Route = "shop",
            Pool = "shop",
            Endpoint = "10.0.0.1:8080",
            Snapshot = new string('a', 64),
            ClientIp = IPAddress.Parse("192.0.2.7"),
            Listener = "web",
            UserAgent = "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0",
            Status = 200,
            Attempts = 1,
            StartedAt = now,
            EndedAt = now + 2_000_000,
            UpstreamStartedAt = now + 10_000,
            UpstreamHeadersAt = now + 1_900_000,
            ResponseBytes = 1300,
        };
    }
}
