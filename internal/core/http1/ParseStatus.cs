namespace Gateway.Core.Http1;

/// <summary>How far a parse came, or why the bytes are no HTTP/1.1. Values from <see cref="BadStartLine"/> on mean malformed: the connection is beyond repair.</summary>
public enum ParseStatus : byte
{
    Complete,
    NeedMore,

    BadStartLine,
    BadStatusCode,
    BadFieldName,
    BadFieldValue,

    /// <summary>A field line that starts with white space (RFC 9112 section 5.2); used to smuggle.</summary>
    ObsoleteFold,

    /// <summary>CR without LF or LF without CR.</summary>
    BareLineEnd,
    TooManyFields,
    BadContentLength,
    ConflictingContentLength,
    UnsupportedTransferEncoding,

    /// <summary>Both Content-Length and Transfer-Encoding (RFC 9112 section 6.3, item 3).</summary>
    LengthAndTransferEncoding,
    BadChunkSize,
    BadChunkEnd,
    ChunkExtensionTooLong,
    TrailersTooLong,

    /// <summary>The whole head is larger than its reader accepts.</summary>
    HeadTooLong,

    /// <summary>More interim (1xx) responses than anyone has a use for.</summary>
    TooManyInterim,
}

public static class ParseStatuses
{
    public static bool IsMalformed(this ParseStatus status) => status >= ParseStatus.BadStartLine;
}
