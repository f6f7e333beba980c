using System.Globalization;
using System.Text;
using System.Threading.Channels;

namespace Gateway.ControlPlane.Rollout;

/// <summary>One event of a rollout, written once as server-sent events have it.</summary>
/// <param name="Sequence">Rises by one with each event of the process.</param>
/// <param name="Rollout">Id of the rollout.</param>
/// <param name="Frame">The bytes on the wire.</param>
/// <param name="IsLast">Of this rollout.</param>
internal sealed record RolloutEvent(long Sequence, string Rollout, ReadOnlyMemory<byte> Frame, bool IsLast);

/// <summary>
/// Tells whoever listens how rollouts go. Telling never waits: who reads too slowly misses ticks, never the end, for each event tells all
/// there is to tell. Thread safe.
/// </summary>
internal sealed class RolloutEvents
{
    /// <summary>Kept for readers that come back (<c>Last-Event-ID</c>): a minute of ticks.</summary>
    private const int Kept = 64;

    /// <summary>Waiting for one reader.</summary>
    private const int Queued = 32;

    /// <summary>Of all of them.</summary>
    private const int MostReaders = 256;

    private readonly Lock _gate = new();
    private readonly Queue<RolloutEvent> _last = new();
    private readonly HashSet<Reader> _readers = [];
    private long _sequence;
    private bool _closed;

    /// <param name="kind"><c>state</c>, <c>stage</c> or <c>tick</c>.</param>
    /// <param name="record">The rollout as it is now.</param>
    /// <param name="left">How long its stage goes on at least.</param>
    public void Tell(string kind, RolloutRecord record, TimeSpan? left = null)
    {
        byte[] json = RolloutJson.Write(record, left);
        lock (_gate)
        {
            if (_closed) return;
            RolloutEvent told = new(++_sequence, record.Id, Frame(kind, _sequence, json), record.IsEnded);
            _last.Enqueue(told);
            if (_last.Count > Kept) _ = _last.Dequeue();
            foreach (Reader reader in _readers) reader.Offer(told);
        }
    }

    /// <summary>Null when there are too many readers already.</summary>
    /// <param name="rollout">Id of the one to hear of; null for all.</param>
    /// <param name="after">Sequence of the last event that was read; null for none.</param>
    public Reader? Open(string? rollout, long? after)
    {
        lock (_gate)
        {
            if (_readers.Count >= MostReaders) return null;
            Reader reader = new(this, rollout);
            if (after is { } last && last <= _sequence)
            {
                foreach (RolloutEvent missed in _last) if (missed.Sequence > last) reader.Offer(missed);
            }
            if (_closed) reader.Complete();
            else _ = _readers.Add(reader);
            return reader;
        }
    }

    /// <summary>Ends all readers: the process stops.</summary>
    public void Close()
    {
        lock (_gate)
        {
            _closed = true;
            foreach (Reader reader in _readers) reader.Complete();
        }
    }

    /// <summary>An event without a number, for what a reader is told first.</summary>
    public static byte[] Greeting(RolloutRecord record, TimeSpan? left) => Frame("state", null, RolloutJson.Write(record, left));

    private static byte[] Frame(string kind, long? sequence, byte[] json)
    {
        string id = sequence is { } number ? $"id: {number.ToString(CultureInfo.InvariantCulture)}\n" : "";
        return [.. Encoding.ASCII.GetBytes($"{id}event: {kind}\ndata: "), .. json, (byte)'\n', (byte)'\n'];
    }

    /// <summary>One listener, with what waits for it.</summary>
    internal sealed class Reader(RolloutEvents events, string? rollout) : IDisposable
    {
        private readonly Channel<RolloutEvent> _waiting = Channel.CreateBounded<RolloutEvent>(new BoundedChannelOptions(Queued) { FullMode = BoundedChannelFullMode.DropOldest, SingleReader = true });

        public ChannelReader<RolloutEvent> Waiting => _waiting.Reader;

        public bool HasMissed => _waiting.Reader.Count > 0;

        public void Offer(RolloutEvent told)
        {
            if (rollout is null || told.Rollout == rollout) _ = _waiting.Writer.TryWrite(told);
        }

        public void Complete() => _waiting.Writer.TryComplete();

        public void Dispose()
        {
            lock (events._gate) _ = events._readers.Remove(this);
        }
    }
}
