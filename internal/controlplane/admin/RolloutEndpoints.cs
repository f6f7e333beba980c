using System.Globalization;
using System.Text.Json;
using Gateway.ControlPlane.Apply;
using Gateway.ControlPlane.Rollout;
using Microsoft.AspNetCore.Http;

namespace Gateway.ControlPlane.Admin;

/// <summary>Rollouts: those that were, the one that runs, and what may be done with it.</summary>
internal sealed class RolloutEndpoints(RolloutDirector rollouts, TimeProvider time)
{
    private const int DefaultLimit = 100;

    /// <summary>How often a stream says that it lives, so that nobody on the way takes it for dead.</summary>
    private static readonly TimeSpan Heartbeat = TimeSpan.FromSeconds(15);

    /// <summary>Null for a word that is none.</summary>
    public static RolloutAction? ActionOf(string verb) => verb switch
    {
        "pause" => RolloutAction.Pause,
        "resume" => RolloutAction.Resume,
        "promote" => RolloutAction.Promote,
        "abort" => RolloutAction.Abort,
        _ => null,
    };

    public async Task ListAsync(HttpContext context, ChangeOrigin origin)
    {
        int limit = DefaultLimit;
        if ((string?)context.Request.Query["limit"] is { } text && !int.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out limit))
        {
            await AdminJson.ProblemAsync(context, 400, "bad_request", "Bad Request", $"limit is '{text}'; it is a whole number from 0");
            return;
        }
        await AdminJson.WriteAsync(context, 200, (Here: rollouts.All().Take(limit), rollouts.OfFleet), static (writer, records) =>
        {
            writer.WriteStartObject();
            writer.WriteStartArray("rollouts");
            foreach (RolloutRecord record in records.Here) RolloutJson.Write(writer, record);
            writer.WriteEndArray();
            if (records.OfFleet is { } ofFleet)
            {
                writer.WritePropertyName("fleet");
                RolloutJson.Write(writer, ofFleet);
            }
            writer.WriteEndObject();
        });
    }

    public Task ShowAsync(HttpContext context, string id) =>
        rollouts.Find(id) is { } found
            ? AdminJson.WriteAsync(context, 200, found, static (writer, found) => RolloutJson.Write(writer, found.Record, found.Left))
            : UnknownAsync(context, id);

    public async Task ActAsync(HttpContext context, ChangeOrigin origin, string id, RolloutAction action)
    {
        RolloutAnswer answer = await rollouts.ActAsync(id, action, origin, context.RequestAborted);
        if (answer.Record is not { } record) await UnknownAsync(context, id);
        else if (answer.IsEnded)
        {
            string ended = $"rollout {id} has ended already: it was {RolloutText.Name(record.State)}{(record.EndedAt is { } at ? $" at {at.UtcDateTime:yyyy-MM-ddTHH:mm:ssZ}" : "")}";
            await AdminJson.ProblemAsync(context, 409, "rollout_ended", "Rollout Ended", action == RolloutAction.Abort && record.State == RolloutState.Promoted ? $"{ended}; POST /admin/rollback goes back to what was live before" : ended);
        }
        else if (answer.Result is { } failed) await ConfigEndpoints.AnswerAsync(context, failed);
        else await ShowAsync(context, id);
    }

    /// <summary>202 for a rollout that was begun (or, without stages, is over), else what an apply answers.</summary>
    /// <param name="context">The request.</param>
    /// <param name="result">How it ended so far.</param>
    /// <param name="rollout">Null for none.</param>
    public static Task AnswerAsync(HttpContext context, ApplyResult result, RolloutRecord? rollout)
    {
        if (!result.IsGood || rollout is null) return ConfigEndpoints.AnswerAsync(context, result);
        context.Response.Headers.Location = $"/admin/rollouts/{rollout.Id}";
        return AdminJson.WriteAsync(context, 202, (result, rollout), static (writer, answer) =>
        {
            writer.WriteStartObject();
            writer.WriteString("id", answer.rollout.Id);
            writer.WriteString("version", answer.rollout.Version);
            writer.WriteString("state", RolloutText.Name(answer.rollout.State));
            writer.WriteBoolean("applied", answer.result.Outcome == ApplyOutcome.Applied);
            AdminJson.Errors(writer, "warnings", answer.result.Warnings);
            writer.WriteNumber("durationMs", Math.Round(answer.result.Duration.TotalMilliseconds, 3));
            writer.WriteEndObject();
        });
    }

    /// <summary>
    /// Server-sent events: how it stands, then each change. The stream of one rollout ends with it; that of all (no id) goes on with the next.
    /// A reader that comes back with <c>Last-Event-ID</c> gets what it missed, as far as that is kept.
    /// </summary>
    public async Task EventsAsync(HttpContext context, string? id)
    {
        if (id is not null && rollouts.Find(id) is null)
        {
            await UnknownAsync(context, id);
            return;
        }
        long? after = long.TryParse(context.Request.Headers["Last-Event-ID"], NumberStyles.None, CultureInfo.InvariantCulture, out long last) ? last : null;
        using RolloutEvents.Reader? reader = rollouts.Events.Open(id, after);
        if (reader is null)
        {
            context.Response.Headers.RetryAfter = "5";
            await AdminJson.ProblemAsync(context, 503, "too_many_readers", "Too Many Readers", "too many streams of events are open; close some, or ask GET /admin/rollouts now and then");
            return;
        }
        HttpResponse response = context.Response;
        response.ContentType = "text/event-stream";
        response.Headers.CacheControl = "no-store";
        response.Headers.XContentTypeOptions = "nosniff";
        // Proxies of nginx's kind hold streams back otherwise.
        response.Headers["X-Accel-Buffering"] = "no";
        if (HttpMethods.IsHead(context.Request.Method)) return;
        if (!reader.HasMissed)
        {
            string? first = id ?? rollouts.Running?.Id;
            if (first is not null && rollouts.Find(first) is { } now)
            {
                _ = await response.BodyWriter.WriteAsync(RolloutEvents.Greeting(now.Record, now.Left), context.RequestAborted);
                if (id is not null && now.Record.IsEnded) return;
            }
        }
        _ = await response.BodyWriter.FlushAsync(context.RequestAborted);
        await FollowAsync(context, reader, id is not null);
    }

    private async Task FollowAsync(HttpContext context, RolloutEvents.Reader reader, bool ends)
    {
        CancellationToken gone = context.RequestAborted;
        while (true)
        {
            Task<bool> told = reader.Waiting.WaitToReadAsync(gone).AsTask();
            while (!told.IsCompleted)
            {
                using CancellationTokenSource beat = CancellationTokenSource.CreateLinkedTokenSource(gone);
                if (await Task.WhenAny(told, Task.Delay(Heartbeat, time, beat.Token)) == told) await beat.CancelAsync();
                else _ = await context.Response.BodyWriter.WriteAsync(": still here\n\n"u8.ToArray(), gone);
            }
            if (!await told) return;
            while (reader.Waiting.TryRead(out RolloutEvent? next))
            {
                _ = await context.Response.BodyWriter.WriteAsync(next.Frame, gone);
                if (ends && next.IsLast) return;
            }
        }
    }

    private static Task UnknownAsync(HttpContext context, string id) =>
        AdminJson.ProblemAsync(context, 404, "unknown_rollout", "Unknown Rollout", $"there is no rollout '{id}'; GET /admin/rollouts lists those that are kept");
}
