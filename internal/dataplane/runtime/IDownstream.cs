using System.IO.Pipelines;
using Microsoft.AspNetCore.Http;

namespace Gateway.DataPlane.Runtime;

/// <summary>
/// The client's side of one request: what it asked, its body, and the answer to it. All strings are the bytes on the wire read as Latin-1.
/// Only the request's own flow touches it, except <see cref="Abort"/>, which may come from anywhere.
/// </summary>
internal interface IDownstream
{
    /// <summary><c>HTTP/1.0</c>, <c>HTTP/1.1</c> or <c>HTTP/2</c>.</summary>
    string Protocol { get; }

    string Method { get; }

    /// <summary><c>http</c> or <c>https</c>, by the connection.</summary>
    string Scheme { get; }

    /// <summary>The request target exactly as received.</summary>
    string RawTarget { get; }

    IHeaderDictionary RequestHeaders { get; }

    /// <summary>False when the request certainly has no body.</summary>
    bool HasRequestBody { get; }

    PipeReader RequestBody { get; }

    /// <summary>What the client wants to speak in place of HTTP: the Upgrade field of HTTP/1.1 or the :protocol of an extended CONNECT. Null for a plain request.</summary>
    string? UpgradeProtocol { get; }

    /// <summary>The client is gone: it closed the connection or reset the stream.</summary>
    CancellationToken Aborted { get; }

    int StatusCode { get; set; }

    IHeaderDictionary ResponseHeaders { get; }

    bool ResponseStarted { get; }

    PipeWriter ResponseBody { get; }

    /// <summary>Fixes status and headers. They go out with the first flush.</summary>
    ValueTask StartResponseAsync();

    /// <summary>Whether trailers can follow the body without the application writing the framing itself.</summary>
    bool HasTrailers { get; }

    /// <summary>A trailer for the end of the body; only with <see cref="HasTrailers"/>.</summary>
    void AddTrailer(string name, string value);

    /// <summary>Answers 101, or 200 to an extended CONNECT, with the response headers set so far; from then on the connection is the stream.</summary>
    ValueTask<Stream> UpgradeAsync();

    /// <summary>Cuts the response off in a way that the client cannot take for its end: RST_STREAM, or the connection closed.</summary>
    void Abort(string reason);
}
