using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.Primitives;

namespace Gateway.DataPlane.Proxy;

/// <summary>What a request's fields say that is asked of every request: found out once for as long as a client sends the same fields.</summary>
internal readonly struct HeadFacts
{
    private readonly int _version;

    private HeadFacts(IHeaderDictionary fields, int version)
    {
        _version = version + 1;
        OfferedId = fields["X-Request-Id"] is { Count: 1 } id ? id[0] : null;
        IsGrpc = fields.ContentType is { Count: > 0 } type && type.ToString().StartsWith("application/grpc", StringComparison.OrdinalIgnoreCase);
        StringValues host = fields.Host;
        Host = host.ToString();
        IsPlain = host.Count <= 1 && fields.TransferEncoding.Count == 0 && fields.Upgrade.Count == 0 && !fields.ContainsKey("Keep-Alive") && !fields.ContainsKey("Proxy-Connection");
    }

    /// <summary>Of <see cref="RequestFields.Version"/>; -1 for that of no fields.</summary>
    public int Version => _version - 1;

    /// <summary>The client's request id, as it came; null without one.</summary>
    public string? OfferedId { get; }

    public bool IsGrpc { get; }

    /// <summary>Empty without the field.</summary>
    public string Host { get; }

    /// <summary>Has none of the fields by which two readers could disagree on where the message ends, in any protocol.</summary>
    public bool IsPlain { get; }

    public static HeadFacts Of(IHeaderDictionary fields, int version) => new(fields, version);
}
