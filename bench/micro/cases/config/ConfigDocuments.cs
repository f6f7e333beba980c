using System.Text;

namespace Gateway.Bench.Micro.Documents;

/// <summary>Documents of many routes, each with a host, a prefix, methods, a header and timeouts, and a pool for every tenth.</summary>
public static class ConfigDocuments
{
    public static byte[] Json(int routes)
    {
        int pools = Math.Max(1, routes / 10);
        var json = new StringBuilder(routes * 256).Append("""{ "version": "v1", "listeners": [ { "name": "web", "address": "0.0.0.0:8080" } ], "pools": {""");
        for (int i = 0; i < pools; i++)
            json.Append(i == 0 ? "" : ",").Append($$"""
                "shop-{{i}}": { "endpoints": [ { "address": "10.0.{{i / 250 % 250}}.{{i % 250}}:8080" }, { "address": "10.1.{{i / 250 % 250}}.{{i % 250}}:8080" } ] }
                """);
        json.Append("}, \"routes\": [");
        for (int i = 0; i < routes; i++)
            json.Append(i == 0 ? "" : ",\n").Append($$"""
                { "name": "route-{{i}}", "match": { "hosts": ["host-{{i % 5000}}.example.com"], "path": { "prefix": "/api/v1/{{i}}" }, "methods": ["GET", "POST"], "headers": [ { "name": "x-version", "value": "{{i % 10}}" } ] }, "pool": "shop-{{i % pools}}", "timeouts": { "request": "15s", "attempt": "5s" } }
                """);
        return Encoding.UTF8.GetBytes(json.Append("] }").ToString());
    }
}
