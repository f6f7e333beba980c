using Gateway.ControlPlane.Store;

namespace Gateway.ControlPlane.Fleet;

/// <summary>
/// Carries this replica's audit log to the fleet's. The file in its own data folder is the whole truth; the fleet's lacks what could not be
/// carried before the process died, or came while the database was away for very long. Thread safe; one flush at a time.
/// </summary>
internal sealed class FleetAudit
{
    private const int Most = 10_000;
    private const int MostAtOnce = 100;
    private readonly Lock _gate = new();
    private readonly Queue<AuditEntry> _waiting = new();
    private readonly string _replica;

    public FleetAudit(AuditLog audit, string replica)
    {
        _replica = replica;
        audit.Appended += Add;
    }

    public async Task FlushAsync(Func<IReadOnlyList<AuditEntry>, Task> write)
    {
        while (true)
        {
            AuditEntry[] entries;
            lock (_gate) entries = [.. _waiting.Take(MostAtOnce)];
            if (entries.Length == 0) return;
            await write(entries);
            lock (_gate)
            {
                for (int i = 0; i < entries.Length && _waiting.Count > 0; i++) _ = _waiting.Dequeue();
            }
        }
    }

    private void Add(AuditEntry entry)
    {
        // What came from another replica is in the fleet's log already, as that one's.
        if (entry is { Source: "fleet", Result: "applied" or "unchanged" } && entry.From != _replica) return;
        lock (_gate)
        {
            if (_waiting.Count == Most) _ = _waiting.Dequeue();
            _waiting.Enqueue(entry);
        }
    }
}
