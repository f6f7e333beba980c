using System.Buffers.Binary;
using System.Globalization;
using System.Net.Http.Headers;
using System.Text;
using Gateway.DataPlane.Runtime;
using Gateway.DataPlane.Transport;

namespace Gateway.DataPlane.Health;

/// <summary>
/// <c>grpc.health.v1.Health/Check</c> (gRPC health checking protocol). Its two messages have one field each, so they are read and written
/// by hand: HealthCheckRequest { string service = 1 } and HealthCheckResponse { ServingStatus status = 1 }.
/// </summary>
internal sealed class GrpcProbe : Probe
{
    private const int PrefixLength = 5;

    // More than a status takes; what is longer is no answer to this question.
    private const int MaxMessage = 1024;
    private const byte ServiceTag = (1 << 3) | 2, StatusTag = 1 << 3;

    private readonly ProbePlan _plan;
    private readonly HttpClientUpstream _upstream;
    private readonly Uri _target;
    private readonly byte[] _question;

    public GrpcProbe(ProbePlan plan, UpstreamSettings settings)
    {
        _plan = plan;
        _upstream = HttpProbe.OwnConnections(settings);
        _target = new Uri(_upstream.Prefix + "/grpc.health.v1.Health/Check");
        _question = Frame(plan.Service);
    }

    public override string Name => _plan.Service.Length == 0 ? "gRPC health" : $"gRPC health of {_plan.Service}";

    public override async Task<ProbeResult> AskAsync(CancellationToken cancellationToken)
    {
        using HttpRequestMessage request = HttpProbe.Request(_upstream, HttpMethod.Post, _target);
        request.Content = new ByteArrayContent(_question);
        request.Content.Headers.ContentType = new MediaTypeHeaderValue("application/grpc");
        request.Headers.TE.Add(new TransferCodingWithQualityHeaderValue("trailers"));
        using HttpResponseMessage response = await _upstream.SendAsync(request, cancellationToken);
        if ((int)response.StatusCode != 200) return ProbeResult.Bad("unexpected_status", string.Create(CultureInfo.InvariantCulture, $"HTTP status {(int)response.StatusCode}"));
        byte[] answer = new byte[PrefixLength + MaxMessage];
        await using Stream body = await response.Content.ReadAsStreamAsync(cancellationToken);
        int length = await body.ReadAtLeastAsync(answer, answer.Length, throwOnEndOfStream: false, cancellationToken);
        // Without a message the status may stand in the headers.
        string? status = Field(response.TrailingHeaders, "grpc-status") ?? Field(response.Headers, "grpc-status");
        if (status != "0") return ProbeResult.Bad("unexpected_status", $"grpc-status {status ?? "missing"}");
        return ServingStatus(answer.AsSpan(0, length)) switch
        {
            1 => ProbeResult.Good("SERVING"),
            0 => ProbeResult.Bad("not_serving", "UNKNOWN"),
            2 => ProbeResult.Bad("not_serving", "NOT_SERVING"),
            3 => ProbeResult.Bad("not_serving", "SERVICE_UNKNOWN"),
            _ => ProbeResult.Bad("error", "the answer is no HealthCheckResponse"),
        };
    }

    public override void Dispose() => _upstream.Dispose();

    private static byte[] Frame(string service)
    {
        byte[] name = Encoding.UTF8.GetBytes(service);
        var message = new List<byte>();
        if (name.Length != 0)
        {
            message.Add(ServiceTag);
            int rest = name.Length;
            for (; rest > 0x7F; rest >>= 7) message.Add((byte)(rest | 0x80));
            message.Add((byte)rest);
            message.AddRange(name);
        }
        byte[] frame = new byte[PrefixLength + message.Count];
        BinaryPrimitives.WriteInt32BigEndian(frame.AsSpan(1), message.Count);
        message.CopyTo(frame, PrefixLength);
        return frame;
    }

    /// <summary>The status of an uncompressed response; 0 is left out on the wire. Null for anything else.</summary>
    private static int? ServingStatus(ReadOnlySpan<byte> frame)
    {
        if (frame.Length < PrefixLength || frame[0] != 0 || BinaryPrimitives.ReadInt32BigEndian(frame[1..]) != frame.Length - PrefixLength) return null;
        return frame[PrefixLength..] switch
        {
            [] => 0,
            [StatusTag, var status] when status < 0x80 => status,
            _ => null,
        };
    }

    private static string? Field(HttpHeaders headers, string name) => headers.TryGetValues(name, out IEnumerable<string>? values) ? string.Join(',', values) : null;
}
