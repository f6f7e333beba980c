namespace Gateway.DataPlane.Obs;

/// <summary>
/// The parts of JSON lines that are the same for request after request (route, endpoint, status and the like), written once and copied from
/// then on. Of a line's fields each is either kept here, in a run with its neighbours, or written for every request. Used by the log's thread alone.
/// </summary>
internal sealed class StableFields(StableFields.FieldWriter write)
{
    // Direct-mapped. A gateway of a hundred routes has some hundreds of combinations; what does not fit is written anew.
    private const int Slots = 512;

    /// <summary>Appends one field, with a comma before it unless the line is no longer than <paramref name="start"/>.</summary>
    public delegate void FieldWriter(LineBuffer line, int start, AccessLogField field, in AccessLogEntry entry, AccessLogModel model);

    /// <summary>A step of a line: a field of its own, or a run of kept ones.</summary>
    private readonly record struct Step(AccessLogField Field, AccessLogField[]? Run);

    private sealed class Kept
    {
        public AccessLogEntry Of;
        public byte[] Bytes = [];
        public int[] Ends = [];
    }

    private readonly Kept?[] _kept = new Kept?[Slots];
    private readonly LineBuffer _scratch = new(1024);
    private AccessLogModel? _model;
    private Step[] _steps = [];
    private int _runs;

    /// <summary>Appends all fields of the line.</summary>
    public void Append(LineBuffer line, in AccessLogEntry entry, AccessLogModel model)
    {
        if (!ReferenceEquals(model, _model)) Begin(model);
        Kept kept = Find(entry, model);
        int start = line.Length, run = 0, from = 0;
        foreach (Step step in _steps)
        {
            if (step.Run is null)
            {
                write(line, start, step.Field, in entry, model);
                continue;
            }
            int end = kept.Ends[run++];
            line.Ascii(kept.Bytes.AsSpan(from, end - from));
            from = end;
        }
    }

    // What nearly every request has another of would only push out what is kept.
    private static bool IsStable(AccessLogField field) => field is not (AccessLogField.Time or AccessLogField.RequestId or AccessLogField.Path or AccessLogField.Query
        or AccessLogField.Detail or AccessLogField.ClientIp or AccessLogField.DurationMs or AccessLogField.UpstreamMs or AccessLogField.RequestBytes
        or AccessLogField.ResponseBytes or AccessLogField.UserAgent or AccessLogField.Referer);

    private void Begin(AccessLogModel model)
    {
        _model = model;
        Array.Clear(_kept);
        var steps = new List<Step>();
        ReadOnlySpan<AccessLogField> left = model.Fields;
        while (!left.IsEmpty)
        {
            int length = 0;
            while (length < left.Length && IsStable(left[length])) length++;
            steps.Add(length == 0 ? new Step(left[0], null) : new Step(default, left[..length].ToArray()));
            left = left[Math.Max(length, 1)..];
        }
        _steps = [.. steps];
        _runs = steps.Count(static step => step.Run is not null);
    }

    private Kept Find(in AccessLogEntry entry, AccessLogModel model)
    {
        ref Kept? slot = ref _kept[SlotOf(entry)];
        if (slot is not null && IsSame(slot.Of, entry)) return slot;
        slot ??= new Kept { Ends = new int[_runs] };
        Fill(slot, entry, model);
        return slot;
    }

    private void Fill(Kept kept, in AccessLogEntry entry, AccessLogModel model)
    {
        _scratch.Clear();
        int run = 0;
        for (int i = 0; i < _steps.Length; i++)
        {
            if (_steps[i].Run is not { } fields) continue;
            // Only the first field of a line has no comma before it.
            int start = i == 0 ? 0 : -1;
            foreach (AccessLogField field in fields) write(_scratch, start, field, in entry, model);
            kept.Ends[run++] = _scratch.Length;
        }
        if (kept.Bytes.Length < _scratch.Length) kept.Bytes = new byte[_scratch.Length + 64];
        _scratch.Written.CopyTo(kept.Bytes);
        // Of the request itself nothing is kept alive.
        kept.Of = entry with { RequestId = default, Target = null, Detail = null, ClientIp = null, UserAgent = null, Referer = null };
    }

    // By lengths and numbers: what is looked at must cost less than what is saved.
    private static int SlotOf(in AccessLogEntry entry)
    {
        uint hash = (uint)entry.Status;
        hash = (hash * 31) + Mix(entry.Route);
        hash = (hash * 31) + Mix(entry.Endpoint);
        hash = (hash * 31) + Mix(entry.Host);
        hash = (hash * 31) + (uint)(entry.Method?.Length ?? 0);
        return (int)((hash * 0x9E3779B1) >> 23);

        static uint Mix(string? text) => text is not { Length: > 0 } ? 0 : (uint)((text.Length << 16) + (text[text.Length >> 1] << 8) + text[^1]);
    }

    private static bool IsSame(in AccessLogEntry a, in AccessLogEntry b) =>
        a.Status == b.Status && a.Attempts == b.Attempts
        && a.Route == b.Route && a.Pool == b.Pool && a.Endpoint == b.Endpoint && a.Host == b.Host && a.Method == b.Method && a.Scheme == b.Scheme && a.Protocol == b.Protocol
        && a.Breaker == b.Breaker && a.Category == b.Category && a.Snapshot == b.Snapshot && a.Variant == b.Variant && a.Listener == b.Listener
        && a.TlsVersion == b.TlsVersion && a.TlsCipher == b.TlsCipher && a.Sni == b.Sni;
}
