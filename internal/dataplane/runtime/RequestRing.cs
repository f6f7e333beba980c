using Gateway.Core.Router;
using Microsoft.Extensions.Primitives;

namespace Gateway.DataPlane.Runtime;

/// <summary>
/// The last requests that were served, for candidates to decide again. Off, it costs a request one read; on, one in so many requests
/// allocates what is kept of it and takes a place by one interlocked increment. A reader sees whole requests, not an instant: others go on
/// recording meanwhile. Thread safe.
/// </summary>
internal sealed class RequestRing
{
    // Beyond it a request is left out, so that the bytes kept are bounded too.
    private const int LongestTarget = 2048;
    private const int LongestHost = 255;
    private const int LongestValue = 256;
    private const int MostValues = 8;

    /// <summary>Of a whole request: however many fields routes ask for, 8 KiB each bound the ring.</summary>
    internal const int MostCharacters = 4096;

    [ThreadStatic]
    private static uint _seen;

    private Ring? _ring;

    public bool IsOn => Volatile.Read(ref _ring) is not null;

    /// <summary>Goes on with what was kept when the size stays. Called by one writer at a time.</summary>
    public void Configure(RecordingModel plan)
    {
        Ring? old = _ring;
        if (plan.Keep == 0) Volatile.Write(ref _ring, null);
        else Volatile.Write(ref _ring, new Ring(plan, old?.Plan.Keep == plan.Keep ? old.Slots : new RecordedRequest?[plan.Keep]) { Next = old?.Plan.Keep == plan.Keep ? Volatile.Read(ref old.Next) : 0 });
    }

    /// <summary>Called at the end of a request; only every so manieth is kept.</summary>
    public void Record(RequestContext request)
    {
        if (Volatile.Read(ref _ring) is not { } ring || ++_seen % (uint)ring.Plan.Every != 0) return;
        if (request.RawPathAndQuery.Length is 0 or > LongestTarget || request.Host.Length > LongestHost) return;
        if (Describe(request, ring.Plan) is { } described) Add(ring, new RecordedRequest(described, request.ListenerState.Name));
    }

    /// <summary>What is kept, oldest first as far as can be told.</summary>
    public RecordedRequest[] Read() => Volatile.Read(ref _ring)?.Read() ?? [];

    /// <summary>Keeps a request that was described elsewhere.</summary>
    internal void Add(RecordedRequest request)
    {
        if (Volatile.Read(ref _ring) is { } ring) Add(ring, request);
    }

    private static void Add(Ring ring, RecordedRequest request)
    {
        if (request.Characters <= MostCharacters) ring.Add(request);
    }

    private static DescribedRequest? Describe(RequestContext request, RecordingModel plan)
    {
        string target = request.RawPathAndQuery;
        string path = request.RawPathLength == target.Length ? target : target[..request.RawPathLength];
        string query = request.RawPathLength == target.Length || plan.QueryNames.Length == 0 ? "" : plan.Keeps(target.AsSpan(request.RawPathLength + 1));
        List<KeyValuePair<string, string>>? headers = null;
        foreach (RecordedField field in plan.Headers)
        {
            StringValues values = request.Downstream.RequestHeaders[field.Name];
            if (values.Count > MostValues) return null;
            foreach (string? value in values)
            {
                if (value!.Length > LongestValue) return null;
                (headers ??= []).Add(new(field.Name, field.IsSecret ? plan.Hash(value) : value));
            }
        }
        // As the router is asked: see RouteRequest.
        string method = request.Downstream.Method == "CONNECT" ? "GET" : request.Downstream.Method;
        return new DescribedRequest(method, request.Downstream.Scheme, request.Host, path, query, (IReadOnlyList<KeyValuePair<string, string>>?)headers ?? []);
    }

    private sealed class Ring(RecordingModel plan, RecordedRequest?[] slots)
    {
        public long Next;

        public RecordingModel Plan { get; } = plan;
        public RecordedRequest?[] Slots { get; } = slots;

        public void Add(RecordedRequest request) => Volatile.Write(ref Slots[(Interlocked.Increment(ref Next) - 1) % Slots.Length], request);

        public RecordedRequest[] Read()
        {
            var read = new List<RecordedRequest>(Slots.Length);
            long next = Volatile.Read(ref Next);
            for (int i = 0; i < Slots.Length; i++)
                if (Volatile.Read(ref Slots[(next + i) % Slots.Length]) is { } request) read.Add(request);
            return [.. read];
        }
    }
}
