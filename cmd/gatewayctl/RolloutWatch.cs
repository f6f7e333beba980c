using System.Globalization;
using Gateway.Client;

namespace Gateway.Ctl;

/// <summary>Follows a rollout to its end: a table that is drawn anew on a terminal, a line for each change in a pipe.</summary>
internal static class RolloutWatch
{
    /// <summary>Says what came of a request for a rollout, and follows it if that is wanted.</summary>
    public static async Task<int> BegunAsync(Session session, ApplyResult result, bool watch, CancellationToken cancellationToken)
    {
        Output output = session.Output;
        output.Warn(result.Warnings);
        if (watch && result.Id is not null) return await RunAsync(session, result.Id, cancellationToken);
        if (output.Json(result, ClientJson.Default.ApplyResult)) return ExitCode.Ok;
        if (result.Id is not null && !result.Applied) output.Line($"rollout {result.Id} of {result.Version} begins; follow it with 'gatewayctl rollout watch {result.Id}'");
        else output.Line($"{(result.Applied ? "applied" : "already live:")} {result.Version} in {Output.Milliseconds(result.DurationMs)}");
        return ExitCode.Ok;
    }

    public static async Task<int> RunAsync(Session session, string id, CancellationToken cancellationToken)
    {
        Output output = session.Output;
        Rollout? last = null;
        int drawn = 0;
        try
        {
            await foreach (RolloutEvent told in session.Client.WatchRolloutAsync(id, cancellationToken))
            {
                if (output.IsLive)
                {
                    Output.Erase(drawn);
                    drawn = Draw(output, told.Rollout);
                }
                // A stage waits for traffic, or no more: that is a change too.
                else if (!output.IsJson && (told.Kind != "tick" || told.Rollout.Reason is null != last?.Reason is null || Parts(told.Rollout) != Parts(last))) output.Line(Line(told.Rollout));
                last = told.Rollout;
            }
        }
        catch (IOException e)
        {
            throw new HttpRequestException($"the connection was lost while rollout {id} ran: {e.Message}", e);
        }
        // The gateway stopped, and said so or not.
        if (last is not { IsEnded: true }) throw new HttpRequestException($"the gateway stopped telling of rollout {id} before it ended");
        if (output.Json(last, ClientJson.Default.Rollout)) return CodeOf(last);
        if (!output.IsLive && last.Replicas is { Count: > 0 }) _ = PrintReplicas(output, last);
        if (!output.IsLive && last.Traffic.Count > 0) _ = PrintTraffic(output, last);
        return CodeOf(last);
    }

    /// <summary>How it stands, in one line.</summary>
    public static string Line(Rollout rollout)
    {
        string what = $"rollout {rollout.Id} {rollout.State}";
        if (rollout.IsEnded) return $"{what}{(rollout.Reason is null ? "" : $": {rollout.Reason}")}";
        if (rollout.Replicas is { Count: > 0 }) what = $"{what} ({Parts(rollout)})";
        string stage = string.Create(CultureInfo.InvariantCulture, $"{what} at {Percent(rollout.Percent)}, stage {rollout.StageIndex + 1} of {rollout.Stages.Count}");
        if (rollout.Reason is not null) return $"{stage}, waiting: {rollout.Reason}";
        return rollout.LeftMs is { } left ? $"{stage}, {Math.Ceiling(left / 1000).ToString(CultureInfo.InvariantCulture)} s left" : stage;
    }

    public static string Percent(double value) => value.ToString("0.##", CultureInfo.InvariantCulture) + "%";

    public static int PrintReplicas(Output output, Rollout rollout)
    {
        IReadOnlyList<FleetRolloutPart> parts = rollout.Replicas ?? [];
        output.Table(["REPLICA", "STATE", "#SHARE", "#LIVE", "#FAILED", "#CANDIDATE", "#FAILED", "NOTE"], parts.Select(static p => new[]
        {
            p.Name, p.State, Percent(p.Percent), Count(p.Live?.Requests ?? 0), Percent(p.Live?.FailedPercent ?? 0), Count(p.Candidate?.Requests ?? 0), Percent(p.Candidate?.FailedPercent ?? 0), p.Reason ?? "",
        }));
        return 1 + parts.Count;
    }

    private static string Parts(Rollout? rollout) => string.Join(", ", (rollout?.Replicas ?? []).Select(static p => $"{p.Name} {p.State}"));

    public static int PrintTraffic(Output output, Rollout rollout)
    {
        output.Table(["ROUTE", "#LIVE", "#FAILED", "#P95", "#CANDIDATE", "#FAILED", "#P95"], rollout.Traffic.Select(static r => new[]
        {
            r.Route, Count(r.Live.Requests), Percent(r.Live.FailedPercent), Time(r.Live.P95Ms), Count(r.Candidate.Requests), Percent(r.Candidate.FailedPercent), Time(r.Candidate.P95Ms),
        }));
        return 1 + rollout.Traffic.Count;
    }

    private static int Draw(Output output, Rollout rollout)
    {
        string line = $"{Line(rollout)}  ({Output.Short(rollout.Version)})";
        // The last words may be long, and stay.
        output.Line(rollout.IsEnded ? line : output.OneLine(line));
        return 1 + (rollout.Replicas is { Count: > 0 } ? PrintReplicas(output, rollout) : 0) + (rollout.Traffic.Count == 0 ? 0 : PrintTraffic(output, rollout));
    }

    private static int CodeOf(Rollout rollout) => rollout.State == "promoted" ? ExitCode.Ok : ExitCode.Refused;

    private static string Count(long number) => number.ToString(CultureInfo.InvariantCulture);

    private static string Time(double? milliseconds) => milliseconds is { } ms ? Output.Milliseconds(ms) : "-";
}
