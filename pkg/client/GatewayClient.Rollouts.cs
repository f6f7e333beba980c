using System.Net.ServerSentEvents;
using System.Runtime.CompilerServices;
using System.Text.Json;

namespace Gateway.Client;

public sealed partial class GatewayClient
{
    /// <summary>
    /// Takes a document through a rollout of its configuration. Returns when the candidate serves its first share, with
    /// <see cref="ApplyResult.Id"/>; without stages it is live already. Errors: as <see cref="ApplyAsync"/>, and 409 while a rollout runs.
    /// </summary>
    /// <param name="document">The document's bytes.</param>
    /// <param name="rollout">The rollout's name in it.</param>
    /// <param name="format">The language it is in.</param>
    /// <param name="ifMatch">The version that must be live for this to happen; null for any.</param>
    /// <param name="cancellationToken">Ends the call.</param>
    public Task<ApplyResult> RollOutAsync(
        ReadOnlyMemory<byte> document, string rollout = "default", DocumentFormat format = DocumentFormat.Json, string? ifMatch = null, CancellationToken cancellationToken = default)
    {
        HttpRequestMessage request = WithDocument($"/admin/config?rollout={Uri.EscapeDataString(rollout)}", document, format);
        if (ifMatch is not null) _ = request.Headers.TryAddWithoutValidation("If-Match", $"\"{ifMatch}\"");
        return SendAsync(request, ClientJson.Default.ApplyResult, cancellationToken);
    }

    /// <summary>The rollouts that are kept, newest first.</summary>
    public Task<RolloutList> GetRolloutsAsync(int limit = 100, CancellationToken cancellationToken = default) =>
        SendAsync(Get($"/admin/rollouts?limit={limit}"), ClientJson.Default.RolloutList, cancellationToken);

    /// <summary>One rollout. Errors: 404.</summary>
    public Task<Rollout> GetRolloutAsync(string id, CancellationToken cancellationToken = default) =>
        SendAsync(Get($"/admin/rollouts/{Uri.EscapeDataString(id)}"), ClientJson.Default.Rollout, cancellationToken);

    /// <summary>Holds its share; its gates go on. Errors: 404, 409 when it has ended.</summary>
    public Task<Rollout> PauseRolloutAsync(string id, CancellationToken cancellationToken = default) => ActAsync(id, "pause", cancellationToken);

    /// <summary>Goes on. Errors: 404, 409 when it has ended.</summary>
    public Task<Rollout> ResumeRolloutAsync(string id, CancellationToken cancellationToken = default) => ActAsync(id, "resume", cancellationToken);

    /// <summary>Makes the candidate live without waiting for anything more. Errors: 404, 409 when it has ended, 400 when it cannot be.</summary>
    public Task<Rollout> PromoteRolloutAsync(string id, CancellationToken cancellationToken = default) => ActAsync(id, "promote", cancellationToken);

    /// <summary>Takes the candidate back. Errors: 404, 409 when it has ended.</summary>
    public Task<Rollout> AbortRolloutAsync(string id, CancellationToken cancellationToken = default) => ActAsync(id, "abort", cancellationToken);

    /// <summary>
    /// Tells how a rollout stands, then of each change, and ends with it; without an id, of every rollout from now on. Also ends when the
    /// gateway stops. Errors: 404.
    /// </summary>
    public async IAsyncEnumerable<RolloutEvent> WatchRolloutAsync(string? id = null, [EnumeratorCancellation] CancellationToken cancellationToken = default)
    {
        HttpRequestMessage request = Get(id is null ? "/admin/rollouts/events" : $"/admin/rollouts/{Uri.EscapeDataString(id)}/events");
        request.Headers.Accept.Add(new("text/event-stream"));
        using HttpResponseMessage response = await _http.SendAsync(request, HttpCompletionOption.ResponseHeadersRead, cancellationToken);
        if (!response.IsSuccessStatusCode) throw await ReadErrorAsync(response, cancellationToken);
        await using Stream stream = await response.Content.ReadAsStreamAsync(cancellationToken);
        SseParser<Rollout?> events = SseParser.Create(stream, static (_, data) => JsonSerializer.Deserialize(data, ClientJson.Default.Rollout));
        await foreach (SseItem<Rollout?> item in events.EnumerateAsync(cancellationToken))
        {
            if (item.Data is not null) yield return new RolloutEvent(item.EventType, item.Data);
        }
    }

    private Task<Rollout> ActAsync(string id, string verb, CancellationToken cancellationToken) =>
        SendAsync(new HttpRequestMessage(HttpMethod.Post, $"/admin/rollouts/{Uri.EscapeDataString(id)}/{verb}"), ClientJson.Default.Rollout, cancellationToken);
}
