using Gateway.Config;
using Gateway.ControlPlane.Store;

namespace Gateway.ControlPlane.Apply;

public sealed partial class ApplyQueue
{
    // What is different for a replica of a fleet: a change that comes in here is shared before it is answered.
    private const string FleetSource = "fleet";

    // The file's content that could not be applied yet, and why.
    private (string Digest, ApplyOutcome Outcome)? _fileWaits;

    /// <summary>Null for a gateway by itself. Set before the first change.</summary>
    public IChangeSharing? Sharing { get; set; }

    /// <summary>Makes what is live the fleet's: the first version of a new fleet, or a change that was made while the shared store was away.</summary>
    /// <param name="after">The sequence that the fleet's last change must have.</param>
    public Task<Sharing> ShareLiveAsync(long after) => EnqueueAsync(() => ShareLiveOneAsync(after), CancellationToken.None);

    private async Task<Sharing> ShareLiveOneAsync(long after)
    {
        LiveConfiguration live = Live!;
        if (live.FleetSequence is { } known) return new Sharing(SharingResult.Shared, known);
        long start = _time.GetTimestamp();
        HistoryRecord? record = _store.History().FirstOrDefault(r => r.Sequence == live.Sequence);
        ConfigDocument document = new ConfigDocument(ReadLive(live), live.Format).With(live.Layers);
        Sharing shared = await Sharing!.ShareAsync(
            new SharedChange(document, live.Version, live.Origin, _host.Current!.Config.History.Keep) { After = after, BundleSequence = _store.BundleSequence, Detail = record?.Detail },
            static () => Task.FromResult(true));
        if (shared.Result != SharingResult.Shared) return shared;
        Candidate candidate = new(document) { Version = live.Version, Config = _host.Current!.Config, Warnings = live.Warnings };
        _ = Publicize(candidate, live.Origin, start, record?.Target, $"shared with the fleet as change {shared.Sequence}", stored: live.UnstoredContent is null, fleet: shared.Sequence);
        return shared;
    }

    /// <summary>Publishes the candidate and, in a fleet, shares it. A candidate that was not published comes back broken, or with why it was not shared.</summary>
    /// <param name="candidate">To be live.</param>
    /// <param name="change">The same for the fleet.</param>
    /// <param name="from">The change of the fleet that it is already.</param>
    /// <param name="publish">Null for the ordinary way.</param>
    /// <param name="overtaken">A rollback waits: it is not published any more, unless that has begun; nor waited for, whatever the shared store does.</param>
    private async Task<(Candidate Candidate, Sharing? Shared)> PublishAndShareAsync(
        Candidate candidate, SharedChange change, FleetStamp? from, Func<Task<IReadOnlyList<ConfigError>>>? publish = null, CancellationToken overtaken = default)
    {
        overtaken.ThrowIfCancellationRequested();
        if (from is not null) return (await PublishAsync(candidate), new Sharing(SharingResult.Shared, from.Sequence));
        if (Sharing is not { } sharing) return (await PublishHereAsync(), null);
        const int Published = 1, GivenUp = 2;
        int state = 0;
        Task<Sharing> sharingIt = sharing.ShareAsync(change, async () =>
        {
            if (Interlocked.CompareExchange(ref state, Published, 0) != 0) return false;
            candidate = await PublishHereAsync();
            return !candidate.IsBroken;
        });
        if (!sharingIt.IsCompleted && overtaken.CanBeCanceled)
        {
            try
            {
                _ = await sharingIt.WaitAsync(overtaken);
            }
            catch (OperationCanceledException) when (overtaken.IsCancellationRequested && Interlocked.CompareExchange(ref state, GivenUp, 0) == 0)
            {
                throw;
            }
            catch (OperationCanceledException) when (overtaken.IsCancellationRequested)
            {
                // It was being published when the rollback came: it ends first.
            }
        }
        return (candidate, await sharingIt);

        Task<Candidate> PublishHereAsync() => publish is null ? PublishAsync(candidate, overtaken) : PublishAsync(candidate, publish);
    }

    /// <summary>How a change ended that was not shared and so not published; null when it is live.</summary>
    private static (ApplyOutcome Outcome, Candidate Candidate)? Unshared(Candidate candidate, Sharing? shared) => shared switch
    {
        { Result: SharingResult.Stale } stale => (ApplyOutcome.Stale, candidate with { Errors = stale.Detail is null ? [] : [new ConfigError("", "stale", stale.Detail)] }),
        { Result: SharingResult.StaleBundle } stale => (ApplyOutcome.Rejected, candidate with { Errors = [new ConfigError("", Gateway.Bundle.BundleRefusalCodes.StaleSequence, $"a bundle with sequence {stale.Sequence} was applied in the fleet already; sign it with a higher one")] }),
        { Result: SharingResult.RolloutRunning } running => (ApplyOutcome.RolloutRunning, candidate with { Errors = [FleetRolloutRuns(running.Detail!)] }),
        { Result: SharingResult.RolloutEnded } over => (ApplyOutcome.RolloutEnded, candidate with { Errors = [new ConfigError("", ApplyResult.NameOf(ApplyOutcome.RolloutEnded), over.Detail!)] }),
        { Result: SharingResult.Unavailable } away => (ApplyOutcome.FleetUnavailable, candidate with { Errors = [FleetAway(away.Detail)] }),
        _ => null,
    };

    private static Candidate WithPending(Candidate candidate, Sharing? shared) => shared is not { Result: SharingResult.Pending } pending ? candidate : candidate with
    {
        Warnings = [.. candidate.Warnings, new ConfigError("", "fleet_pending", $"live here alone: the fleet's database could not be told ({pending.Detail}). It is told when it is back, unless the fleet has changed meanwhile.")],
    };

    // Empty when it cannot be read: what is kept compiled can be gone back to without it, here.
    private ConfigDocument StoredDocument(HistoryRecord record)
    {
        try
        {
            return ConfigDocument.Of(record, _store.Read(record));
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            return ConfigDocument.Stored(record.Digest!, DocumentFormat.Json);
        }
    }

    private static ConfigError FleetAway(string? why) =>
        new("", FleetUnavailable, $"the fleet's database cannot be reached ({why}), and a change must reach every replica. Nothing has changed. Try again when 'gatewayctl fleet' says connected; a rollback works meanwhile, here alone.");

    private static ConfigError FleetRolloutRuns(string what) =>
        new("", ApplyResult.NameOf(ApplyOutcome.RolloutRunning), $"{what}; wait for its end ('gatewayctl rollout watch' shows it), or end it: 'gatewayctl rollout promote' or 'gatewayctl rollout abort', at any replica");

    // By what was last seen, so that the file is not compiled again every few seconds. Anybody else asks once, and is answered by the store itself.
    private (ApplyOutcome Outcome, ConfigError Error)? WaitsForFleet(ApplyRequest request)
    {
        if (Sharing is null || request is not { DryRun: false, Origin.Source: "file" }) return null;
        if (Sharing.RolloutSeen is { } what) return (ApplyOutcome.RolloutRunning, FleetRolloutRuns(what));
        return Sharing.AwaySeen is { } why ? (ApplyOutcome.FleetUnavailable, FleetAway(why)) : null;
    }

    // In the file's name it is asked for every few seconds: once is enough to write down.
    private ApplyResult Waits(ApplyOutcome outcome, Candidate candidate, ApplyRequest request, long start)
    {
        if (request.Origin.Source != "file") return Noted(outcome, candidate, request, start);
        (string, ApplyOutcome) waiting = (request.Document.Digest, outcome);
        bool isKnown = _fileWaits == waiting;
        _fileWaits = waiting;
        return isKnown ? Result(outcome, candidate, start) : Noted(outcome, candidate, request, start);
    }

    // "Take the rollout back", where another replica has the candidate and this one does not.
    private async Task<ApplyResult?> RollbackOfFleetAsync(ChangeOrigin origin, long start)
    {
        if (Sharing is null || await Sharing.EndRolloutAsync($"rolled back by {origin.Actor}") is not { } version) return null;
        Candidate live = new(new ConfigDocument(default, DocumentFormat.Json)) { Version = Live?.Version };
        return Ended(ApplyOutcome.Applied, live, "rollback", origin, start) with { From = version };
    }

    // What another replica went back to, in this one's history; null for what is no rollback, or was never live here.
    private long? TargetOf(Candidate candidate, ApplyRequest request) =>
        request.Fleet is { IsRollback: true } ? Array.FindLast(_store.History(), r => r.IsApplied && r.Version == candidate.Version)?.Sequence : null;

    // What is pending has none.
    private static long? StampOf(Sharing? shared) => shared is { Result: SharingResult.Shared } known ? known.Sequence : null;

    internal const string FleetUnavailable = "fleet_unavailable";
}
