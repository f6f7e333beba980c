using Gateway.Config;
using Gateway.ControlPlane.Rollout;
using Gateway.ControlPlane.Store;

namespace Gateway.ControlPlane.Apply;

public sealed partial class ApplyQueue
{
    // One apply and one rollback, step by step; the queue lets only one of them run.
    /// <summary>behaviours.md, "Snapshot": more replaced snapshots in use than this, and an apply waits, then gives up.</summary>
    private const int MostRetiredSnapshots = 10;
    private static readonly TimeSpan PressurePatience = TimeSpan.FromSeconds(2);
    private static readonly TimeSpan PressurePoll = TimeSpan.FromMilliseconds(20);

    private const int WorthAThread = 64 << 10;

    private async Task<ApplyResult> ApplyOneAsync(ApplyRequest request)
    {
        long start = _time.GetTimestamp();
        try
        {
            return await ApplyOneAsync(request, start);
        }
        catch (OperationCanceledException) when (request.Overtaken.IsCancellationRequested)
        {
            return GiveWay(request, start);
        }
    }

    private async Task<ApplyResult> ApplyOneAsync(ApplyRequest request, long start)
    {
        CheckedRequest check = await CheckOneAsync(request, start);
        if (check.Ended is not null) return check.Ended;
        (Candidate candidate, Sharing? shared) = await PublishAndShareAsync(check.Candidate, Change(check.Candidate, request, request.Detail), request.Fleet, overtaken: request.Overtaken);
        if (candidate.IsBroken) return Rejected(candidate, request, start);
        if (Unshared(candidate, shared) is { } refusal) return Waits(refusal.Outcome, refusal.Candidate, request, start);
        candidate = Publicize(WithPending(candidate, shared), request.Origin, start, TargetOf(candidate, request), request.Detail, check.Stored, request.BundleSequence, StampOf(shared));
        return Noted(ApplyOutcome.Applied, candidate, request, start);
    }

    /// <summary>Writes down that a rollback came before it was live. Within a step.</summary>
    internal ApplyResult GiveWay(ApplyRequest request, long start)
    {
        if (!request.DryRun) _ledger.Discard(request.Document);
        ConfigError error = new("", ApplyResult.NameOf(ApplyOutcome.Overtaken), "a rollback came while this was on its way, and was not to wait for it. Nothing of it has changed; apply it again if it is still wanted.");
        return Noted(ApplyOutcome.Overtaken, new Candidate(request.Document) { Errors = [error] }, request, start);
    }

    /// <summary>How far a request got without a publish.</summary>
    /// <param name="Ended">Why it goes no further, written down already; null for a candidate that may be published.</param>
    /// <param name="Stored">Its document is on the disk.</param>
    private readonly record struct CheckedRequest(ApplyResult? Ended, Candidate Candidate, bool Stored);

    private async Task<CheckedRequest> CheckOneAsync(ApplyRequest request, long start)
    {
        request.Overtaken.ThrowIfCancellationRequested();
        ChangeOrigin origin = request.Origin;
        bool fromFile = origin.Source == "file";
        if (request.Fleet is { } change)
        {
            // It came in here, or a later one did while it was on its way: nothing to write down.
            if (Live?.FleetSequence >= change.Sequence) return End(Result(ApplyOutcome.Unchanged, new Candidate(request.Document), start));
            if (change.Unsigned is { } why) return End(Noted(ApplyOutcome.Unsigned, Broken(request, "unsigned_refused", why), request, start));
            if (Rollout is { Running: { } mine } yields) await yields.YieldAsync(origin, change.Detail, isPromotion: mine.Digest == request.Document.Digest);
        }
        if (!request.DryRun && Rollout?.Running is { } running) return End(RolloutRuns(request, running, start));
        if (WaitsForFleet(request) is { } waits) return End(Waits(waits.Outcome, new Candidate(request.Document) { Errors = [waits.Error] }, request, start));
        if (fromFile) FileDigest = request.Document.Digest;
        if (Refusal(request) is { } refused) return End(refused.Outcome == ApplyOutcome.Unsigned ? Noted(refused.Outcome, refused.Candidate, request, start) : Rejected(refused.Candidate, request, start), refused.Candidate);
        string signed = request.Document.Digest;
        request = request with { Document = Layered(request.Document, origin, out IReadOnlyList<ConfigError> conflicts) };
        if (conflicts.Count == 0 && SignedOnly && Sharing is not null && request.Bundle is not null && request.Document.Digest != signed)
            conflicts = [new ConfigError("merge", "unsigned_refused", "what comes of laying this bundle over other documents is signed by nobody, so that no other replica could verify it; in a fleet with keys a bundle is the whole configuration")];
        if (conflicts.Count > 0) return End(Rejected(new Candidate(request.Document) { Errors = conflicts }, request, start));
        // A file that was mended is to be live as the file's, also if it is the last good configuration word for word.
        LiveConfiguration? live = Live;
        LiveConfiguration? same = live?.Origin.Source == "last-good" ? null : live;
        // The live bytes again mean the live version again: no need to read them.
        Candidate candidate = same?.Digest == request.Document.Digest && same.Format == request.Document.Format
            ? new Candidate(request.Document) { Version = same.Version, Warnings = same.Warnings }
            : await OnAThreadOfItsOwn(request.Document, () => _steps.Read(request.Document)).WaitAsync(request.Overtaken);
        if (!candidate.IsBroken && request.Bundle is null && request.Rollout is { } name) candidate = candidate with { Errors = RolloutPlan.Missing(name, candidate.Config, _host.Current?.Config) };
        if (candidate.IsBroken) return End(Rejected(candidate, request, start), candidate);
        // Before If-Match, as RFC 9110 section 13.1.1 allows: a client that repeats an apply whose answer it lost is told that it holds.
        if (same is not null && candidate.Version == same.Version)
        {
            // The same again, but signed anew: bundles before this one are stale from now on.
            // Or it is another change of the fleet, which happens to bring the same.
            if (request is { Bundle: not null, DryRun: false } or { Fleet: not null } || (!request.DryRun && IsOfOtherLayers(request.Document)))
            {
                candidate = candidate with { Config = _host.Current!.Config };
                (_, Sharing? told) = await PublishAndShareAsync(candidate with { Snapshot = _host.Current }, Change(candidate, request, request.Detail), request.Fleet);
                if (Unshared(candidate, told) is { } kept) return End(Noted(kept.Outcome, kept.Candidate, request, start));
                candidate = Publicize(candidate, origin, start, TargetOf(candidate, request), request.Detail, stored: _ledger.Save(request.Document) is null, request.BundleSequence, StampOf(told));
            }
            return End(Noted(ApplyOutcome.Unchanged, candidate, request, start));
        }
        if (request.IfMatch is { } wanted && !(live is not null && (wanted.Count == 0 || wanted.Contains(live.Version)))) return End(Noted(ApplyOutcome.Stale, candidate, request, start));
        // A compile that is given up ends by itself; it has touched nothing.
        candidate = await OnAThreadOfItsOwn(candidate.Document, () => request.Fleet is null ? _steps.CompileAndCheck(candidate, origin.Source, request.Rollout) : _steps.Compile(candidate, origin.Source)).WaitAsync(request.Overtaken);
        if (candidate.IsBroken) return End(Rejected(candidate, request, start), candidate);
        if (request.DryRun) return End(Result(ApplyOutcome.Valid, candidate, start));
        if (!await PressureEasesAsync(request.Overtaken)) return End(Noted(ApplyOutcome.Pressure, candidate, request, start));
        string? unsaved = _ledger.Save(request.Document);
        if (unsaved is not null && !fromFile)
        {
            ConfigError error = new("", ApplyLedger.StoreFailed, $"the document cannot be stored, so it was not applied: {unsaved}. Check the space and the permissions of {_store.Folder}.");
            return End(Noted(ApplyOutcome.Failed, candidate with { Errors = [error] }, request, start));
        }
        return new CheckedRequest(null, candidate, unsaved is null);

        CheckedRequest End(ApplyResult result, Candidate? candidate = null) => new(result, candidate ?? new Candidate(request.Document), false);
    }

    private static SharedChange Change(Candidate candidate, ApplyRequest request, string? detail) =>
        new(candidate.Document, candidate.Version!, request.Origin, candidate.Config!.History.Keep) { IfMatch = request.IfMatch, BundleSequence = request.Bundle?.Sequence, Envelope = request.Bundle?.Envelope ?? default, Detail = detail };

    // Here, where changes are one after another: of two bundles that come at once only the order of their sequences may win.
    private (ApplyOutcome Outcome, Candidate Candidate)? Refusal(ApplyRequest request)
    {
        // Whether it may be applied its stamp says.
        if (request.Fleet is not null) return null;
        if (request.Bundle is null)
        {
            return SignedOnly && !request.DryRun
                ? (ApplyOutcome.Unsigned, Broken(request, "unsigned_refused", "this gateway takes signed configurations only: sign it with 'gatewayctl bundle sign' and push it, or start the gateway with --allow-unsigned"))
                : null;
        }
        long last = _store.BundleSequence;
        return request.Bundle.Sequence > last
            ? null
            : (ApplyOutcome.Rejected, Broken(request, Gateway.Bundle.BundleRefusalCodes.StaleSequence, $"the bundle has sequence {request.Bundle.Sequence} and {last} was applied already; sign it with a higher one"));
    }

    private static Candidate Broken(ApplyRequest request, string code, string message) => new(request.Document) { Errors = [new ConfigError("", code, message)] };

    /// <param name="start">When it was asked for.</param>
    /// <param name="earlier">What it has cancelled.</param>
    private async Task<ApplyResult> RollbackOneAsync(string? version, ChangeOrigin origin, long start, CancellationToken earlier)
    {
        LiveConfiguration? live = Live;
        // A rollout that was about to begin was what there was to take back.
        if (version is null && _takenBack is { } taken && taken.By == earlier) return OfRollout(taken.Version, origin, start);
        if (version is null && Rollout is { Running: { } running } begun) return await RollbackOfRolloutAsync(begun, running, origin, start);
        if (version is null && await RollbackOfFleetAsync(origin, start) is { } ofFleet) return ofFleet;
        HistoryRecord? target = RollbackTarget.Find(_store.History(), version, live?.Version, live?.Sequence ?? 0);
        if (target is null)
        {
            string why = version is null ? "nothing was applied before the live version" : $"version '{version}' is not in the history";
            return Ended(ApplyOutcome.UnknownVersion, new Candidate(new ConfigDocument(default, DocumentFormat.Json)) { Errors = [new ConfigError("version", "unknown_version", $"{why}; GET /admin/history lists what can be gone back to")] }, "rollback", origin, start);
        }
        if (Rollout is { Running: not null } rollout) await rollout.AbortAsync(origin, $"rolled back to {target.Version} by {origin.Actor}");
        if (_kept.Find(target, origin.Source) is not { } candidate)
        {
            candidate = ReadStored(target);
            if (!candidate.IsBroken && candidate.Version == live?.Version) return Ended(ApplyOutcome.Unchanged, candidate, "rollback", origin, start);
            candidate = await OnAThreadOfItsOwn(candidate.Document, () => _steps.Compile(candidate, origin.Source));
        }
        else if (candidate.Version == live?.Version) return Ended(ApplyOutcome.Unchanged, candidate, "rollback", origin, start);
        string detail = $"back to record {target.Sequence}, applied {target.Time:yyyy-MM-ddTHH:mm:ssZ}";
        Sharing? shared = null;
        if (!candidate.IsBroken)
        {
            SharedChange change = new(Sharing is null ? candidate.Document : StoredDocument(target), candidate.Version!, origin, candidate.Config!.History.Keep) { Detail = detail, Always = true };
            (candidate, shared) = await PublishAndShareAsync(candidate, change, null);
        }
        TimeSpan liveAfter = _time.GetElapsedTime(start, _publishedAt);
        if (candidate.IsBroken) return Ended(ApplyOutcome.Rejected, candidate, "rollback", origin, start);
        candidate = candidate with { Document = candidate.Document.With(LayersOf(target)) };
        candidate = Publicize(WithPending(candidate, shared), origin, start, target.Sequence, detail, stored: true, fleet: StampOf(shared));
        return Ended(ApplyOutcome.Applied, candidate, "rollback", origin, start) with { LiveAfter = liveAfter };
    }

    private Candidate ReadStored(HistoryRecord record)
    {
        try
        {
            return _steps.Read(ConfigDocument.Of(record, _store.Read(record)).With(LayersOf(record)));
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            return new Candidate(new ConfigDocument(default, DocumentFormat.Json)) { Version = record.Version, Errors = [new ConfigError("", ConfigErrorCodes.FileUnreadable, $"the stored document of version {record.Version} cannot be read: {e.Message}")] };
        }
    }

    private async Task<bool> PressureEasesAsync(CancellationToken overtaken)
    {
        long start = _time.GetTimestamp();
        while (_host.RetiredSnapshots > MostRetiredSnapshots)
        {
            if (_time.GetElapsedTime(start) >= PressurePatience) return false;
            await Task.Delay(PressurePoll, _time, overtaken);
        }
        return true;
    }

    /// <summary>
    /// Reading and compiling many routes takes a second of a processor. On a small machine that would be half of the thread pool, which
    /// serves requests; a thread of its own leaves the sharing to the system. Small documents are not worth a thread.
    /// </summary>
    private static Task<Candidate> OnAThreadOfItsOwn(ConfigDocument document, Func<Candidate> work) =>
        document.Content.Length < WorthAThread
            ? Task.FromResult(work())
            : Task.Factory.StartNew(work, CancellationToken.None, TaskCreationOptions.LongRunning, TaskScheduler.Default);
}
