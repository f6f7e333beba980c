using System.Diagnostics;
using System.Globalization;
using System.Net;
using System.Net.Http.Headers;
using System.Runtime.InteropServices;
using System.Text;
using System.Text.Json;
using Gateway.Bench.Scale;
using Gateway.TestKit;

// From posted bytes to an answered request, on bin/gateway over real sockets: POST /admin/config with all routes of which one has changed,
// then at once a request to the changed route, which must get the new answer. Writes bench/results/DATE-config-scale.md.
// Usage: Gateway.Bench.Scale [ROUTES ...]     default: 10000 100000

const int Runs = 12;
int[] sizes = args.Length > 0 ? [.. args.Select(a => int.Parse(a, CultureInfo.InvariantCulture))] : [10_000, 100_000];
var rows = new List<Row>();
var rollbacks = new List<Rollback>();
await using HttpOrigin origin = await HttpOrigin.StartAsync("scale");
foreach (int size in sizes) rows.AddRange(await MeasureAsync(size, origin, rollbacks));
string file = RepositoryRoot.PathOf($"bench/results/{TimeProvider.System.GetUtcNow():yyyy-MM-dd}-config-scale.md");
await File.WriteAllTextAsync(file, Report(rows, rollbacks));
Console.WriteLine(Report(rows, rollbacks));
Console.WriteLine(file);
return 0;

static async Task<List<Row>> MeasureAsync(int routes, HttpOrigin origin, List<Rollback> rollbacks)
{
    var rows = new List<Row>();
    string first = Encoding.UTF8.GetString(ScaleConfig.Write(1, origin.Address, "start"));
    await using GatewayProcess gateway = await GatewayProcess.StartAsync(first);
    using var client = new HttpClient(H2Client.Handler()) { BaseAddress = gateway.Listener(), Timeout = TimeSpan.FromMinutes(1) };
    await ExpectAsync(client, ScaleConfig.ChangedHost, ScaleConfig.ChangedPath, "start");
    long small = gateway.Rss;
    for (int run = 1; run <= Runs; run++)
    {
        string answer = $"{routes} routes, run {run}";
        byte[] document = ScaleConfig.Write(routes, origin.Address, answer);
        using var content = new ByteArrayContent(document);
        content.Headers.ContentType = new MediaTypeHeaderValue("application/json");
        TimeSpan cpu = CpuTime(gateway);
        long start = Stopwatch.GetTimestamp();
        using HttpResponseMessage response = await gateway.Admin.PostAsync(new Uri("/admin/config", UriKind.Relative), content);
        string body = await response.Content.ReadAsStringAsync();
        TimeSpan applied = Stopwatch.GetElapsedTime(start);
        if (response.StatusCode != HttpStatusCode.OK) throw new InvalidOperationException($"{response.StatusCode}: {body}");
        await ExpectAsync(client, ScaleConfig.ChangedHost, ScaleConfig.ChangedPath, answer);
        TimeSpan answered = Stopwatch.GetElapsedTime(start);
        double own = JsonDocument.Parse(body).RootElement.GetProperty("durationMs").GetDouble();
        rows.Add(new Row(routes, run, document.Length, own, applied.TotalMilliseconds, answered.TotalMilliseconds, (CpuTime(gateway) - cpu).TotalMilliseconds, gateway.Rss - small));
        Console.WriteLine(rows[^1]);
    }
    await RollBackAsync(gateway, routes, rollbacks);
    // That all those routes are really there, not only the one that changed.
    foreach (int i in new[] { 0, routes / 2, routes - 2 })
    {
        (string host, string path) = ScaleConfig.RequestOf(i);
        using HttpRequestMessage request = new(HttpMethod.Get, path);
        request.Headers.Host = host;
        using HttpResponseMessage response = await client.SendAsync(request);
        if (!response.Headers.Contains("x-origin")) throw new InvalidOperationException($"route {i} answered {response.StatusCode}");
    }
    return rows;
}

// Back and forth between the last two versions, which are kept compiled, and then further back, which is not.
static async Task RollBackAsync(GatewayProcess gateway, int routes, List<Rollback> rollbacks)
{
    JsonElement[] history = [.. (await gateway.GetAsync("/admin/history?result=applied")).Json.GetProperty("entries").EnumerateArray()];
    string[] versions = [.. history.Select(e => e.GetProperty("version").GetString()!)];
    foreach ((string what, int first, int other) in new[] { ("to the previous version", 1, 0), ("to one before those kept", 5, 9) })
    {
        for (int run = 0; run < Runs; run++)
        {
            // Versions in turn that are (not) among the last three that were live.
            string version = what.Contains("previous", StringComparison.Ordinal) ? versions[run % 2 == 0 ? first : other] : versions[first + run % 5];
            long start = Stopwatch.GetTimestamp();
            AdminAnswer answer = await gateway.PostAsync("/admin/rollback", $$"""{ "version": "{{version}}" }""");
            if (answer.Status != HttpStatusCode.OK) throw new InvalidOperationException(answer.Text);
            rollbacks.Add(new Rollback(routes, what, answer.Json.GetProperty("liveAfterMs").GetDouble(), answer.Json.GetProperty("durationMs").GetDouble(), Stopwatch.GetElapsedTime(start).TotalMilliseconds));
            Console.WriteLine(rollbacks[^1]);
        }
    }
}

// What the gateway's threads have used, which a busy machine does not change.
static TimeSpan CpuTime(GatewayProcess gateway)
{
    using Process process = Process.GetProcessById(gateway.ProcessId);
    return process.TotalProcessorTime;
}

static async Task ExpectAsync(HttpClient client, string host, string path, string answer)
{
    using HttpRequestMessage request = new(HttpMethod.Get, path);
    request.Headers.Host = host;
    using HttpResponseMessage response = await client.SendAsync(request);
    string body = await response.Content.ReadAsStringAsync();
    if (body != answer) throw new InvalidOperationException($"expected '{answer}', got {response.StatusCode} '{body}'");
}

static string Report(List<Row> rows, List<Rollback> rollbacks)
{
    var text = new StringBuilder("# Config scale: from posted bytes to an answered request\n\n");
    string model = File.ReadLines("/proc/cpuinfo").FirstOrDefault(l => l.StartsWith("model name", StringComparison.Ordinal))?.Split(':')[1].Trim() ?? "unknown";
    long memory = GC.GetGCMemoryInfo().TotalAvailableMemoryBytes >> 30;
    Line($"- machine class: {Environment.ProcessorCount} × {model}, {memory} GiB, {RuntimeInformation.OSArchitecture}, {RuntimeInformation.FrameworkDescription}");
    Line($"- load average when it ended: {File.ReadAllText("/proc/loadavg").Split(' ')[0]}; above the number of processors, times are upper bounds");
    Line($"- command: `make bench-scale`");
    Line($"- what: `POST /admin/config` on `bin/gateway` with a document of so many routes, one of them changed, then at once a request to that route.");
    Line($"  The first apply of a size adds all its routes to a gateway that has just started, so it includes compiling the gateway's own code.");
    Line($"");
    Line($"| routes | document | first apply | median of the others | slowest of the others | target | processor time, first and median | memory for the routes |");
    Line($"|---|---|---|---|---|---|---|---|");
    foreach (IGrouping<int, Row> size in rows.GroupBy(r => r.Routes))
    {
        double[] warm = [.. size.Skip(1).Select(r => r.Answered).Order()];
        double[] cpu = [.. size.Skip(1).Select(r => r.Cpu).Order()];
        string target = size.Key switch { 10_000 => "< 300 ms", 100_000 => "< 2000 ms", _ => "" };
        Line($"| {size.Key} | {size.Last().Bytes / 1e6:0.0} MB | {size.First().Answered:0} ms | {warm[warm.Length / 2]:0} ms | {warm[^1]:0} ms | {target} | {size.First().Cpu:0} ms, {cpu[cpu.Length / 2]:0} ms | {size.Last().Memory / 1048576.0:0} MiB |");
    }
    Line($"");
    Line($"Rollback (`POST /admin/rollback`): the two versions before the live one are kept compiled, so going back to one is a pointer swap and the writing of");
    Line($"the record; an older one is read and compiled. Times in ms: until it is live; until that is recorded too (four times to the disk); and the answered request.");
    Line($"");
    Line($"| routes | rollback | live: median | slowest | recorded: median | slowest | median answered |");
    Line($"|---|---|---|---|---|---|---|");
    foreach (var kind in rollbacks.GroupBy(r => (r.Routes, r.What)))
    {
        double[] live = [.. kind.Select(r => r.Live).Order()], own = [.. kind.Select(r => r.Own).Order()], answered = [.. kind.Select(r => r.Answered).Order()];
        Line($"| {kind.Key.Routes} | {kind.Key.What} | {live[live.Length / 2]:0.0} | {live[^1]:0.0} | {own[own.Length / 2]:0.0} | {own[^1]:0.0} | {answered[answered.Length / 2]:0.0} |");
    }
    Line($"");
    Line($"Raw rows, in ms: what the gateway says it took, the answer to the POST, the answer of the changed route,");
    Line($"the processor time the gateway used for it.");
    Line($"");
    Line($"| routes | run | gateway | POST answered | request answered | processor time | RSS over start, MiB |");
    Line($"|---|---|---|---|---|---|---|");
    foreach (Row row in rows) Line($"| {row.Routes} | {row.Run} | {row.Own:0.0} | {row.Applied:0.0} | {row.Answered:0.0} | {row.Cpu:0.0} | {row.Memory / 1048576.0:0} |");
    return text.ToString();

    void Line(FormattableString line) => text.Append(line.ToString(CultureInfo.InvariantCulture)).Append('\n');
}

internal sealed record Rollback(int Routes, string What, double Live, double Own, double Answered);

internal sealed record Row(int Routes, int Run, int Bytes, double Own, double Applied, double Answered, double Cpu, long Memory);
