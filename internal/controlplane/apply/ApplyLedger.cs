using Gateway.Config;
using Gateway.ControlPlane.Layers;
using Gateway.ControlPlane.Store;
using Microsoft.Extensions.Logging;

namespace Gateway.ControlPlane.Apply;

/// <summary>
/// Writes down how every attempt ended: history, audit log, metrics, log. A record that cannot be written does not undo what is live; it
/// becomes a warning in the answer. Used by the apply queue alone, one attempt at a time.
/// </summary>
internal sealed partial class ApplyLedger(ConfigStore store, AuditLog audit, ApplyMetrics metrics, TimeProvider time, ILogger logger)
{
    public const string StoreFailed = "store_failed";

    /// <summary>Puts the document on the disk before it is published. Null, or why it could not be.</summary>
    public string? Save(ConfigDocument document)
    {
        try
        {
            store.Save(document.Digest, document.FormatName, document.Content.Span);
            foreach (SourceLayer layer in document.Layers?.All ?? [])
                if (layer.Content is { } content) store.Save(layer.Digest, layer.Format, content.Span);
            return null;
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            LogStoreFailed(logger, e, "a document");
            return e.Message;
        }
    }

    /// <summary>Takes a document off the disk again that no record names.</summary>
    public void Discard(ConfigDocument document)
    {
        try
        {
            store.Discard(document.Digest, document.FormatName);
            foreach (SourceLayer layer in document.Layers?.All ?? [])
                if (layer.Content is not null) store.Discard(layer.Digest, layer.Format);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            // The next start removes it.
            LogStoreFailed(logger, e, "a document's end");
        }
    }

    /// <summary>The sequence of the record, 0 when it could not be written; then a warning is added.</summary>
    public long Record(HistoryRecord record, int keep, List<ConfigError> warnings)
    {
        try
        {
            return store.Append(record, keep).Sequence;
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            LogStoreFailed(logger, e, "the history");
            warnings.Add(new ConfigError("", StoreFailed, $"live, but not recorded: it will not survive a restart ({e.Message}). Check the space and the permissions of {store.Folder}."));
            return 0;
        }
    }

    /// <summary>Audit, metrics and log of an attempt that was meant to change something.</summary>
    public void Note(string action, ChangeOrigin origin, ApplyOutcome outcome, string? version, string? detail, TimeSpan duration)
    {
        string result = ApplyResult.NameOf(outcome);
        metrics.Applied(origin.Source, outcome, duration);
        try
        {
            audit.Append(new AuditEntry(time.GetUtcNow(), origin.Actor, origin.From, action, origin.Source, version, result, detail));
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            LogStoreFailed(logger, e, "the audit log");
        }
        if (outcome is ApplyOutcome.Applied or ApplyOutcome.Unchanged) LogLive(logger, result, origin.Source, version ?? "", origin.Actor, Math.Round(duration.TotalMilliseconds, 1));
        else LogRefused(logger, action, result, origin.Source, origin.Actor, detail ?? "");
    }

    public void Live(string version, string source) => metrics.Live(version, source);

    /// <summary>The first error and how many more there are, in one line.</summary>
    public static string? Summary(IReadOnlyList<ConfigError> errors) => errors.Count switch
    {
        0 => null,
        1 => errors[0].ToString(),
        _ => $"{errors[0]} (and {errors.Count - 1} more)",
    };

    [LoggerMessage(1000, LogLevel.Information, "configuration {Result} from {Source}: version {Version} by {Actor} in {Milliseconds} ms")]
    private static partial void LogLive(ILogger logger, string result, string source, string version, string actor, double milliseconds);

    [LoggerMessage(1001, LogLevel.Warning, "{Action} {Result} from {Source} by {Actor}; what was live stays live: {Detail}")]
    private static partial void LogRefused(ILogger logger, string action, string result, string source, string actor, string detail);

    [LoggerMessage(1002, LogLevel.Error, "cannot write {What} to the data folder")]
    private static partial void LogStoreFailed(ILogger logger, Exception exception, string what);
}
