using System.Globalization;
using System.Reflection;
using System.Runtime.CompilerServices;
using System.Text;
using Gateway.Config;
using Xunit;

namespace Gateway.ControlPlane.Tests.Configuration;

/// <summary>
/// Every bound of a field of routes, pools and the process: the bound itself is taken, one beyond it is refused at its path. Found in the
/// records, so that no field is left out.
/// </summary>
public sealed class RangeLimitTests
{
    // What a record cannot do without, beside the field that is tried.
    private static readonly Dictionary<string, string> Required = new() { ["key"] = "\"ip\"", ["cookie"] = "\"gw\"" };

    private sealed record Field(string Path, Type Type, RangeAttribute Range, Func<string, string> Document);

    private static IEnumerable<Field> Fields =>
    [
        .. Of(typeof(RouteConfig), "routes[0].", static inner => Document($"\"name\": \"r\", \"pool\": \"p\", {inner}", "", "")),
        .. Of(typeof(PoolConfig), "pools.p.", static inner => Document("\"name\": \"r\", \"pool\": \"p\"", inner, "")),
        .. Of(typeof(GatewayConfig), "", static inner => Document("\"name\": \"r\", \"pool\": \"p\"", "", inner)),
    ];

    private static string Document(string route, string pool, string more) =>
        $$"""
        { "version": "v1", "listeners": [ { "name": "web", "address": "127.0.0.1:0" } ], "routes": [ { {{route}} } ],
          "pools": { "p": { "endpoints": [ { "address": "127.0.0.1:1" } ]{{(pool.Length == 0 ? "" : ", " + pool)}} } }{{(more.Length == 0 ? "" : ", " + more)}} }
        """;

    private static IEnumerable<Field> Of(Type record, string path, Func<string, string> document)
    {
        foreach (PropertyInfo property in record.GetProperties())
        {
            string name = property.GetCustomAttribute<JsonNameAttribute>()?.Name ?? char.ToLowerInvariant(property.Name[0]) + property.Name[1..];
            Type type = Nullable.GetUnderlyingType(property.PropertyType) ?? property.PropertyType;
            if (property.GetCustomAttribute<RangeAttribute>() is { } range) yield return new Field(path + name, type, range, value => document($"\"{name}\": {value}"));
            if (!type.IsClass || type.Assembly != typeof(GatewayConfig).Assembly) continue;
            string needed = string.Concat(type.GetProperties()
                .Where(static p => p.GetCustomAttribute<RequiredMemberAttribute>() is not null)
                .Select(static p => char.ToLowerInvariant(p.Name[0]) + p.Name[1..])
                .Where(Required.ContainsKey)
                .Select(static n => $"\"{n}\": {Required[n]}, "));
            foreach (Field field in Of(type, $"{path}{name}.", inner => document($"\"{name}\": {{ {needed}{inner} }}"))) yield return field;
        }
    }

    public static TheoryData<string> Paths => [.. Fields.Select(static f => f.Path)];

    /// <summary>The value as documents write it, and those next to it; null where there is none to write.</summary>
    private static (string At, string? Below, string? Above) Around(Type type, string bound)
    {
        if (type == typeof(TimeSpan))
        {
            Assert.True(DurationText.TryParse(bound, out TimeSpan time));
            TimeSpan step = TimeSpan.FromMilliseconds(1);
            return ($"\"{bound}\"", time < step ? null : $"\"{DurationText.Format(time - step)}\"", $"\"{DurationText.Format(time + step)}\"");
        }
        if (type == typeof(ByteSize))
        {
            Assert.True(ByteSize.TryParse(bound, out ByteSize size));
            return ($"\"{bound}\"", size.Bytes == 0 ? null : Text(size.Bytes - 1), Text(size.Bytes + 1));
        }
        long number = long.Parse(bound, CultureInfo.InvariantCulture);
        return (Text(number), Text(number - 1), Text(number + 1));
    }

    private static string Text(long number) => number.ToString(CultureInfo.InvariantCulture);

    private static bool IsRefused(string path, string document) =>
        ConfigReader.ReadJson(Encoding.UTF8.GetBytes(document)).Errors.Any(e => e.Path == path && e.Code == ConfigErrorCodes.OutOfRange);

    [Theory]
    [MemberData(nameof(Paths))]
    public void AtItsBounds_AFieldIsTaken_AndOneBeyondThemItIsRefused(string path)
    {
        Field field = Fields.Single(f => f.Path == path);
        (string least, string? below, _) = Around(field.Type, field.Range.Min);
        (string most, _, string? above) = Around(field.Type, field.Range.Max);
        foreach (string good in (string[])[least, most]) Assert.False(IsRefused(path, field.Document(good)), good);
        if (below is not null) Assert.True(IsRefused(path, field.Document(below)), below);
        Assert.True(IsRefused(path, field.Document(above!)), above);
    }

    [Fact]
    public void TheFieldsOfResilience_AreAmongThem()
    {
        string[] paths = [.. Fields.Select(static f => f.Path)];
        foreach (string path in (string[])
        [
            "routes[0].retry.attempts", "routes[0].retry.backoff.max", "routes[0].retry.budget.percent", "routes[0].retry.perClient.minPerSecond", "routes[0].hedge.max",
            "routes[0].overload.maxInflight", "routes[0].overload.priority.level", "pools.p.breaker.maxOpen", "pools.p.outlier.latency.intervals", "pools.p.health.active.unhealthyAfter",
            "pools.p.health.passive.eject", "pools.p.slowStart", "pools.p.affinity.ttl", "pools.p.connections.maxLifetime", "overload.queueDelay",
        ]) Assert.Contains(path, paths);
    }

    // Bounds that are no plain range.
    [Theory]
    [InlineData("routes[0].hedge.after", "\"hedge\": { \"after\": \"1ms\" }", "", true)]
    [InlineData("routes[0].hedge.after", "\"hedge\": { \"after\": \"0s\" }", "", false)]
    [InlineData("routes[0].hedge.after", "\"hedge\": { \"after\": \"1m\" }", "", true)]
    [InlineData("routes[0].hedge.after", "\"hedge\": { \"after\": \"1m1ms\" }", "", false)]
    [InlineData("routes[0].retry.on[0]", "\"retry\": { \"on\": [\"400\"] }", "", true)]
    [InlineData("routes[0].retry.on[0]", "\"retry\": { \"on\": [\"399\"] }", "", false)]
    [InlineData("routes[0].retry.on[0]", "\"retry\": { \"on\": [\"599\"] }", "", true)]
    [InlineData("routes[0].retry.on[0]", "\"retry\": { \"on\": [\"600\"] }", "", false)]
    [InlineData("routes[0].retry.backoff.max", "\"retry\": { \"backoff\": { \"base\": \"20ms\", \"max\": \"20ms\" } }", "", true)]
    [InlineData("routes[0].retry.backoff.max", "\"retry\": { \"backoff\": { \"base\": \"20ms\", \"max\": \"19ms\" } }", "", false)]
    [InlineData("pools.p.breaker.maxOpen", "", "\"breaker\": { \"open\": \"5s\", \"maxOpen\": \"5s\" }", true)]
    [InlineData("pools.p.breaker.maxOpen", "", "\"breaker\": { \"open\": \"5s\", \"maxOpen\": \"4999ms\" }", false)]
    [InlineData("pools.p.outlier.maxEjection", "", "\"outlier\": { \"baseEjection\": \"30s\", \"maxEjection\": \"30s\" }", true)]
    [InlineData("pools.p.outlier.maxEjection", "", "\"outlier\": { \"baseEjection\": \"30s\", \"maxEjection\": \"29999ms\" }", false)]
    [InlineData("pools.p.loadBalancing.boundedLoad", "", "\"loadBalancing\": { \"policy\": \"maglev\", \"boundedLoad\": 1 }", true)]
    [InlineData("pools.p.loadBalancing.boundedLoad", "", "\"loadBalancing\": { \"policy\": \"maglev\", \"boundedLoad\": 0.99 }", false)]
    [InlineData("pools.p.loadBalancing.boundedLoad", "", "\"loadBalancing\": { \"policy\": \"maglev\", \"boundedLoad\": 0 }", true)]
    [InlineData("pools.p.loadBalancing.boundedLoad", "", "\"loadBalancing\": { \"policy\": \"maglev\", \"boundedLoad\": 100 }", true)]
    [InlineData("pools.p.loadBalancing.boundedLoad", "", "\"loadBalancing\": { \"policy\": \"maglev\", \"boundedLoad\": 100.01 }", false)]
    [InlineData("pools.p.discovery.interval", "", "\"discovery\": { \"dns\": \"a.test:1\", \"interval\": \"1s\" }", true)]
    [InlineData("pools.p.discovery.interval", "", "\"discovery\": { \"dns\": \"a.test:1\", \"interval\": \"999ms\" }", false)]
    [InlineData("pools.p.discovery.interval", "", "\"discovery\": { \"dns\": \"a.test:1\", \"interval\": \"1h\" }", true)]
    [InlineData("pools.p.discovery.interval", "", "\"discovery\": { \"dns\": \"a.test:1\", \"interval\": \"1h1ms\" }", false)]
    [InlineData("pools.p.health.active.expect[0]", "", "\"health\": { \"active\": { \"expect\": [\"200-599\"] } }", true)]
    [InlineData("pools.p.health.active.expect[0]", "", "\"health\": { \"active\": { \"expect\": [\"199-599\"] } }", false)]
    [InlineData("pools.p.health.active.expect[0]", "", "\"health\": { \"active\": { \"expect\": [\"200-600\"] } }", false)]
    public void ABoundOfItsOwn_IsTaken_AndOneBeyondItRefused(string path, string route, string pool, bool taken)
    {
        ReadResult result = ConfigReader.ReadJson(Encoding.UTF8.GetBytes(Document($"\"name\": \"r\", \"pool\": \"p\"{(route.Length == 0 ? "" : ", " + route)}", pool, "")));
        Assert.Equal(taken, result.Errors.All(e => e.Path != path));
    }
}
