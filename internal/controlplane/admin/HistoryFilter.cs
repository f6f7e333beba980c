using Gateway.ControlPlane.Store;
using Microsoft.AspNetCore.Http;

namespace Gateway.ControlPlane.Admin;

/// <summary>Which records <c>GET /admin/history</c> shows: those that meet every condition given.</summary>
/// <param name="Version">The whole version, or its beginning.</param>
/// <param name="Since">From this time on.</param>
/// <param name="Until">Before this time.</param>
internal sealed record HistoryFilter(string? Version, string? Source, string? Result, DateTimeOffset? Since, DateTimeOffset? Until)
{
    private static readonly string[] Names = ["limit", "version", "source", "result", "since", "until"];

    public static HistoryFilter? Read(IQueryCollection query, out string problem)
    {
        problem = query.Keys.FirstOrDefault(static name => !Names.Contains(name)) is { } unknown ? $"there is no parameter '{unknown}'; there are {string.Join(", ", Names)}" : "";
        string? result = query["result"];
        if (result is not (null or HistoryRecord.Applied or HistoryRecord.Rejected)) problem = $"result is '{result}'; it is {HistoryRecord.Applied} or {HistoryRecord.Rejected}";
        DateTimeOffset? since = Time(query, "since", ref problem), until = Time(query, "until", ref problem);
        return problem.Length == 0 ? new HistoryFilter(query["version"], query["source"], result, since, until) : null;
    }

    public bool Takes(HistoryRecord record) =>
        (Version is null || record.Version?.StartsWith(Version, StringComparison.OrdinalIgnoreCase) == true)
        && (Source is null || record.Source == Source)
        && (Result is null || record.Result == Result)
        && (Since is null || record.Time >= Since)
        && (Until is null || record.Time < Until);

    private static DateTimeOffset? Time(IQueryCollection query, string name, ref string problem)
    {
        string? text = query[name];
        if (text is null) return null;
        if (StoredConfigurations.TryTime(text, out DateTimeOffset time)) return time;
        problem = $"{name} is '{text}'; it is a time such as 2026-11-20T09:30:00Z";
        return null;
    }
}
