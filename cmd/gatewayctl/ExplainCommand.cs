using System.CommandLine;
using System.Globalization;
using System.Text;
using System.Text.Json;
using Gateway.Client;

namespace Gateway.Ctl;

internal static class ExplainCommand
{
    public static Command Create()
    {
        var url = new Argument<string>("URL") { Description = "https://host:port/path?query, as a client would ask for it" };
        var method = new Option<string>("--method", "-X") { Description = "The method", DefaultValueFactory = static _ => "GET" };
        var headers = new Option<string[]>("--header", "-H") { Description = "A header field, as 'name: value'; may come again" };
        var client = new Option<string>("--client-ip") { Description = "The address the request comes from", HelpName = "ADDRESS" };
        var listener = new Option<string>("--listener") { Description = "The listener it comes in on. Default: the one that fits the URL", HelpName = "NAME" };
        var at = new Option<string>("--at") { Description = "What was live then, in place of what is live now", HelpName = "VERSION|TIME" };
        var config = new Option<string>("--config") { Description = "A candidate document, in place of what is live; - for stdin", HelpName = "FILE" };
        var candidates = new Option<int>("--candidates") { Description = "The most routes to name", DefaultValueFactory = static _ => 50 };
        var command = new Command("explain", "Say what becomes of a request, and why: the route, why each other one lost, filters, limits, endpoints")
        {
            url, method, headers, client, listener, at, config, candidates, DocumentFile.Yaml,
        };
        command.SetBody(async (parsed, session, cancellationToken) =>
        {
            string? when = parsed.GetValue(at);
            if (when is not null) when = await session.ResolveAtAsync(when, cancellationToken);
            Explanation explanation = await session.Client.ExplainAsync(new ExplainRequest(parsed.GetRequiredValue(url))
            {
                Method = parsed.GetRequiredValue(method),
                Headers = HeaderOption.Read(parsed.GetValue(headers) ?? []),
                ClientIp = parsed.GetValue(client),
                Listener = parsed.GetValue(listener),
                At = when,
                Config = parsed.GetValue(config) is { } file ? await ReadAsync(file, parsed.GetValue(DocumentFile.Yaml), cancellationToken) : null,
                Candidates = parsed.GetValue(candidates),
            }, cancellationToken);
            if (!session.Output.Json(explanation, ClientJson.Default.Explanation)) Print(session.Output, explanation);
        });
        return command;
    }

    private static async Task<JsonElement> ReadAsync(string file, bool yaml, CancellationToken cancellationToken)
    {
        (byte[] bytes, DocumentFormat format) = await DocumentFile.ReadAsync(file, yaml, cancellationToken);
        if (format == DocumentFormat.Yaml) return JsonSerializer.SerializeToElement(Encoding.UTF8.GetString(bytes), TextJson.Default.String);
        try
        {
            using JsonDocument document = JsonDocument.Parse(bytes);
            return document.RootElement.Clone();
        }
        catch (JsonException e)
        {
            throw new UserException($"{file} is not JSON: {e.Message} (with --yaml it is read as YAML)");
        }
    }

    private static void Print(Output output, Explanation e)
    {
        output.Line($"version    {Output.Short(e.Version)}");
        if (e.Canary is { } canary)
            output.Line(string.Create(CultureInfo.InvariantCulture, $"variant    {e.Variant} ({(canary.Bucket is { } bucket ? $"bucket {bucket}" : "drawn for each request")}; the candidate serves {canary.Percent}%)"));
        output.Line($"listener   {e.Listener} ({e.ListenerReason})");
        output.Line($"path       {e.Path}{(e.OtherReading is null ? "" : $" (an upstream may read {e.OtherReading})")}");
        output.Line($"route      {e.Route ?? $"none: {e.Category}"}");
        if (e.Status is { } status) output.Line($"answer     {status}{string.Concat(e.Headers.Select(static h => $", {h.Key}: {h.Value}"))}");
        if (e.Limits is { } limits) output.Line($"limits     body {Limit(limits.BodyBytes)}, URL {Limit(limits.UrlBytes)}, headers {Limit(limits.HeaderBytes)} in {limits.HeaderCount} fields");
        if (e.Limits is { } of) output.Line($"clients    {Count(of.Connections)} connections, {Count(of.ConnectionsPerAddress)} of an address; of an address a second: {Rate(of.ConnectionRatePerAddress)} new connections, {Rate(of.RequestRatePerAddress)} requests");
        if (e.Timeouts is { } timeouts) output.Line($"timeouts   request {timeouts.Request ?? "none"}, attempt {timeouts.Attempt ?? "none"}, idle {timeouts.Idle ?? "none"}");
        if (e.ClientIsTrustedProxy is { } trusted) output.Line($"client     {(trusted ? "a trusted proxy: its forwarding headers are believed" : "not a trusted proxy: its forwarding headers are replaced")}");
        foreach (ExplainedFilter filter in e.Filters) output.Line($"filter     {filter.Name}: {filter.Effect}");
        if (e.State?.Breaker is { } breaker) output.Line($"breaker    {RouteStateText.Of(breaker)}{(breaker.Ledger is [{ } last, ..] ? $" ({last.Detail})" : "")}");
        if (e.State?.RetryBudget is { } budget) output.Line($"retries    {RouteStateText.Of(budget)}, of {budget.Requests} requests in 10s");
        if (e.State?.Concurrency is { } concurrency) output.Line($"at once    {RouteStateText.Of(concurrency)}");
        output.Line("");
        output.Table(["ROUTE", "VERDICT", "REASON"], e.Candidates.Select(static c => new[] { c.Route, c.Verdict, c.Reason }));
        if (e.Candidates.Count < e.Routes) output.Line($"… and {e.Routes - e.Candidates.Count} more, farther away");
        if (e.Pool is null) return;
        output.Line("");
        PoolsCommand.Print(output, [e.Pool]);
    }

    private static string Count(int most) => most == 0 ? "unlimited" : most.ToString(CultureInfo.InvariantCulture);

    private static string Rate(ExplainedRate? rate) => rate is null ? "unlimited" : rate.Burst == rate.PerSecond ? $"{rate.PerSecond}" : $"{rate.PerSecond} (bursts of {rate.Burst})";

    private static string Limit(long bytes) => bytes == 0 ? "unlimited" : $"{bytes} bytes";
}
