using System.Buffers;
using System.Text.Json;
using Gateway.Bundle;

namespace Gateway.Ctl.Distributor;

/// <summary>The bundles that are served at one moment. Immutable but for <see cref="Replaced"/>, which completes once.</summary>
internal sealed class BundleCatalog
{
    private readonly TaskCompletionSource _replaced = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private readonly Dictionary<string, PublishedBundle> _byVersion = new(StringComparer.Ordinal);

    /// <param name="bundles">In any order.</param>
    public BundleCatalog(IEnumerable<PublishedBundle> bundles)
    {
        // Of two with one sequence always the same is the latest, whatever the order of the folder.
        NewestFirst = [.. bundles.OrderByDescending(static b => b.Sequence).ThenBy(static b => b.Digest, StringComparer.Ordinal)];
        foreach (PublishedBundle bundle in NewestFirst) _ = _byVersion.TryAdd(bundle.Version, bundle);
        List = WriteList(NewestFirst);
        ListDigest = BundleFile.DigestOf(List);
    }

    public IReadOnlyList<PublishedBundle> NewestFirst { get; }

    /// <summary>The one with the highest sequence; null for none.</summary>
    public PublishedBundle? Latest => NewestFirst.Count == 0 ? null : NewestFirst[0];

    /// <summary><c>GET /bundles</c>: JSON.</summary>
    public byte[] List { get; }

    public string ListDigest { get; }

    /// <summary>Completes when another catalog has taken this one's place.</summary>
    public Task Replaced => _replaced.Task;

    /// <summary>The newest bundle of that configuration.</summary>
    public PublishedBundle? Find(string version) => _byVersion.GetValueOrDefault(version);

    public void Replace() => _ = _replaced.TrySetResult();

    private static byte[] WriteList(IReadOnlyList<PublishedBundle> bundles)
    {
        var json = new ArrayBufferWriter<byte>();
        using (var writer = new Utf8JsonWriter(json, new JsonWriterOptions { Indented = true }))
        {
            writer.WriteStartObject();
            writer.WriteStartArray("bundles");
            foreach (PublishedBundle bundle in bundles)
            {
                writer.WriteStartObject();
                writer.WriteString("version", bundle.Version);
                writer.WriteNumber("sequence", bundle.Sequence);
                writer.WriteString("createdAt", bundle.CreatedAt.UtcDateTime);
                writer.WriteString("expiresAt", bundle.ExpiresAt.UtcDateTime);
                writer.WriteString("source", bundle.Source);
                writer.WriteString("notes", bundle.Notes);
                writer.WriteNumber("size", bundle.Content.Length);
                writer.WriteString("digest", bundle.Digest);
                writer.WriteEndObject();
            }
            writer.WriteEndArray();
            writer.WriteEndObject();
        }
        return json.WrittenSpan.ToArray();
    }
}
