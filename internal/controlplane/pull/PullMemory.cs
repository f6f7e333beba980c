using System.Buffers;
using System.Reflection;
using System.Text;
using System.Text.Json;
using Gateway.Bundle;
using Gateway.ControlPlane.Store;

namespace Gateway.ControlPlane.Pull;

/// <summary>A bundle that did not pass: it is not tried again.</summary>
/// <param name="Digest">Lower-case hex SHA-256 of the bundle's bytes.</param>
/// <param name="Sequence">0 when it could not be read.</param>
/// <param name="Version">Of its configuration; empty when it could not be read.</param>
/// <param name="Code">The refusal's.</param>
public sealed record RefusedBundle(string Digest, long Sequence, string Version, string Code, string Reason, DateTimeOffset At);

/// <summary>
/// What a gateway remembers of its pulls over restarts, in <c>DATA/pull.json</c>: the entity tag of the bundle it dealt with last, and the
/// bundles that did not pass. What may judge them differently (other keys, another version of the gateway, another address) makes it forget.
/// A file that is damaged or cannot be written costs no more than another try. Thread safe.
/// </summary>
public sealed class PullMemory
{
    /// <summary>The oldest are forgotten first; a distributor has one latest bundle.</summary>
    private const int MostRefused = 64;

    private const int MostReason = 2000;

    private readonly Lock _gate = new();
    private readonly string _path;
    private readonly string _judge;
    private readonly DurableFiles _files;
    private readonly List<RefusedBundle> _refused = [];
    private string? _etag;
    private string? _digest;

    /// <param name="folder">DATA.</param>
    /// <param name="judge">Who judges: what is remembered counts only for the same.</param>
    public PullMemory(string folder, string judge)
        : this(folder, judge, DurableFiles.OfProcess())
    {
    }

    internal PullMemory(string folder, string judge, DurableFiles files)
    {
        _path = Path.Combine(folder, "pull.json");
        _judge = judge;
        _files = files;
        try
        {
            if (File.Exists(_path)) Read(File.ReadAllBytes(_path));
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException or JsonException or KeyNotFoundException or InvalidOperationException or FormatException)
        {
            Note = $"'{_path}' cannot be read, so that bundles which were refused before are tried once more: {e.Message}";
            _refused.Clear();
            (_etag, _digest) = (null, null);
        }
    }

    /// <summary>Who judges what comes from there: the keys, the gateway's version.</summary>
    public static string JudgeOf(BundleVerifier verifier, Uri url) =>
        BundleFile.DigestOf(Encoding.UTF8.GetBytes($"{url}\n{GatewayVersion}\n{verifier.Threshold}\n{string.Join('\n', verifier.KeyIds.Order(StringComparer.Ordinal))}"));

    private static string? GatewayVersion => typeof(PullMemory).Assembly.GetCustomAttribute<AssemblyInformationalVersionAttribute>()?.InformationalVersion;

    /// <summary>What was wrong with the file; null for nothing.</summary>
    public string? Note { get; }

    /// <summary>Of the bundle that was dealt with last, for good or ill; null for none.</summary>
    public string? ETag
    {
        get
        {
            lock (_gate) return _etag;
        }
    }

    /// <summary>The bundle that was dealt with last, when it was refused.</summary>
    public RefusedBundle? LastRefused
    {
        get
        {
            lock (_gate) return _refused.Find(r => r.Digest == _digest);
        }
    }

    /// <summary>Null for a bundle that was not refused before.</summary>
    public RefusedBundle? Find(string digest)
    {
        lock (_gate) return _refused.Find(r => r.Digest == digest);
    }

    /// <summary>The bundle is dealt with and need not be sent again.</summary>
    /// <exception cref="IOException">It is remembered, but not beyond this process.</exception>
    public void Settle(string digest, string? etag)
    {
        lock (_gate)
        {
            if (_digest == digest && _etag == etag) return;
            (_digest, _etag) = (digest, etag);
            Write_NeedsLock();
        }
    }

    /// <summary>The bundle did not pass, now or in the rollout that it began: it is not tried again.</summary>
    /// <exception cref="IOException">It is remembered, but not beyond this process.</exception>
    public void Refuse(RefusedBundle bundle)
    {
        lock (_gate)
        {
            _ = _refused.RemoveAll(r => r.Digest == bundle.Digest);
            _refused.Add(bundle.Reason.Length > MostReason ? bundle with { Reason = bundle.Reason[..MostReason] } : bundle);
            if (_refused.Count > MostRefused) _refused.RemoveAt(0);
            Write_NeedsLock();
        }
    }

    private void Read(byte[] json)
    {
        using JsonDocument document = JsonDocument.Parse(json);
        JsonElement root = document.RootElement;
        if (root.GetProperty("judge").GetString() != _judge) return;
        _etag = root.TryGetProperty("etag", out JsonElement etag) ? etag.GetString() : null;
        _digest = root.TryGetProperty("digest", out JsonElement digest) ? digest.GetString() : null;
        foreach (JsonElement one in root.GetProperty("refused").EnumerateArray())
        {
            _refused.Add(new RefusedBundle(
                one.GetProperty("digest").GetString()!, one.GetProperty("sequence").GetInt64(), one.GetProperty("version").GetString()!,
                one.GetProperty("code").GetString()!, one.GetProperty("reason").GetString()!, one.GetProperty("at").GetDateTimeOffset()));
        }
    }

    private void Write_NeedsLock()
    {
        ArrayBufferWriter<byte> json = new();
        using (Utf8JsonWriter writer = new(json, new JsonWriterOptions { Indented = true }))
        {
            writer.WriteStartObject();
            writer.WriteString("judge", _judge);
            if (_etag is not null) writer.WriteString("etag", _etag);
            if (_digest is not null) writer.WriteString("digest", _digest);
            writer.WriteStartArray("refused");
            foreach (RefusedBundle one in _refused)
            {
                writer.WriteStartObject();
                writer.WriteString("digest", one.Digest);
                writer.WriteNumber("sequence", one.Sequence);
                writer.WriteString("version", one.Version);
                writer.WriteString("code", one.Code);
                writer.WriteString("reason", one.Reason);
                writer.WriteString("at", one.At);
                writer.WriteEndObject();
            }
            writer.WriteEndArray();
            writer.WriteEndObject();
        }
        try
        {
            _files.Replace(_path, json.WrittenSpan);
        }
        catch (UnauthorizedAccessException e)
        {
            throw new IOException(e.Message, e);
        }
    }
}
