using System.Buffers;
using System.Text.Json;

namespace Gateway.ControlPlane.Store;

/// <summary>One mutation that someone asked for over the admin API, or that the file brought.</summary>
/// <param name="Actor">Name of the token and subject of the client certificate, or the configuration file.</param>
/// <param name="From">Address of the client; empty for the file.</param>
/// <param name="Action"><c>start</c>, <c>apply</c>, <c>rollback</c>, <c>bundle</c>, <c>login</c>, <c>rollout</c> (its begin, and its end by itself), <c>rollout_pause</c>, <c>rollout_resume</c>, <c>rollout_promote</c> or <c>rollout_abort</c>.</param>
/// <param name="Result"><c>applied</c>, <c>unchanged</c>, <c>rejected</c>, and so on: the words of the metric.</param>
public sealed record AuditEntry(DateTimeOffset Time, string Actor, string From, string Action, string Source, string? Version, string Result, string? Detail);

/// <summary>
/// <c>audit.log</c>: a JSON object per line, on the disk before the client is answered. The file is opened anew for each entry, so it may
/// be moved away at any time (logrotate). Thread safe.
/// </summary>
public sealed class AuditLog
{
    private readonly Lock _gate = new();
    private readonly string _path;
    private readonly DurableFiles _files;
    private bool _uncertainTail = true;

    public AuditLog(string folder)
        : this(folder, DurableFiles.OfProcess())
    {
    }

    internal AuditLog(string folder, DurableFiles files)
    {
        _path = Path.Combine(folder, "audit.log");
        _files = files;
    }

    /// <summary>Raised after each entry that is on the disk, or could not be.</summary>
    public event Action<AuditEntry>? Appended;

    public void Append(AuditEntry entry)
    {
        try
        {
            Write(entry);
        }
        finally
        {
            Appended?.Invoke(entry);
        }
    }

    private void Write(AuditEntry entry)
    {
        ArrayBufferWriter<byte> line = new(256);
        lock (_gate)
        {
            // A torn line stays as evidence, on a line of its own.
            if (_uncertainTail && EndsInsideALine()) line.Write("\n"u8);
            using (Utf8JsonWriter writer = new(line)) Write(writer, entry);
            line.Write("\n"u8);
            _uncertainTail = true;
            _files.AppendDurably(_path, line.WrittenSpan);
            _uncertainTail = false;
        }
    }

    /// <summary>The newest entries as JSON objects, newest first. Lines that are no JSON objects (torn ones) are passed over.</summary>
    public List<JsonElement> Newest(int count)
    {
        List<JsonElement> entries = [];
        lock (_gate)
        {
            if (!File.Exists(_path)) return entries;
            ReadOnlySpan<byte> rest = ReadTail();
            while (entries.Count < count && !rest.IsEmpty)
            {
                rest = rest.TrimEnd((byte)'\n');
                int start = rest.LastIndexOf((byte)'\n') + 1;
                Utf8JsonReader reader = new(rest[start..]);
                rest = rest[..start];
                try
                {
                    if (JsonElement.TryParseValue(ref reader, out JsonElement? entry) && entry.Value.ValueKind == JsonValueKind.Object) entries.Add(entry.Value);
                }
                catch (JsonException)
                {
                    // Torn, as said above.
                }
            }
        }
        return entries;
    }

    // The newest entries of a log that may be of any size.
    private byte[] ReadTail()
    {
        const int most = 4 << 20;
        using FileStream file = new(_path, FileMode.Open, FileAccess.Read, FileShare.ReadWrite | FileShare.Delete);
        int length = (int)Math.Min(file.Length, most);
        _ = file.Seek(-length, SeekOrigin.End);
        byte[] tail = new byte[length];
        file.ReadExactly(tail);
        return tail;
    }

    private bool EndsInsideALine()
    {
        if (!File.Exists(_path)) return false;
        using FileStream file = new(_path, FileMode.Open, FileAccess.Read, FileShare.ReadWrite | FileShare.Delete);
        if (file.Length == 0) return false;
        _ = file.Seek(-1, SeekOrigin.End);
        return file.ReadByte() != '\n';
    }

    private static void Write(Utf8JsonWriter writer, AuditEntry entry)
    {
        writer.WriteStartObject();
        WriteMembers(writer, entry);
        writer.WriteEndObject();
    }

    /// <summary>The members of the JSON object, which the admin API shows just so.</summary>
    internal static void WriteMembers(Utf8JsonWriter writer, AuditEntry entry)
    {
        writer.WriteString("time", entry.Time);
        writer.WriteString("actor", entry.Actor);
        writer.WriteString("from", entry.From);
        writer.WriteString("action", entry.Action);
        writer.WriteString("source", entry.Source);
        if (entry.Version is not null) writer.WriteString("version", entry.Version);
        writer.WriteString("result", entry.Result);
        if (entry.Detail is not null) writer.WriteString("detail", entry.Detail);
    }
}
