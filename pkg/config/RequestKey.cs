using Gateway.Config.Validation;

namespace Gateway.Config;

/// <summary>What of a request.</summary>
public enum RequestKeyKind
{
    Ip,
    Path,
    Header,
    Cookie,
    Query,
}

/// <summary>What of a request tells it from others: <c>ip</c>, <c>path</c>, <c>header:NAME</c>, <c>cookie:NAME</c> or <c>query:NAME</c>.</summary>
/// <param name="Kind">What of it.</param>
/// <param name="Name">The field's, cookie's or parameter's; empty for the others.</param>
public readonly record struct RequestKey(RequestKeyKind Kind, string Name)
{
    /// <summary>The client's address.</summary>
    public static RequestKey Ip => new(RequestKeyKind.Ip, "");

    /// <summary>Reads the text form; false for anything else.</summary>
    public static bool TryParse(string text, out RequestKey key)
    {
        int colon = text.IndexOf(':', StringComparison.Ordinal);
        string name = colon < 0 ? "" : text[(colon + 1)..];
        (RequestKeyKind Kind, bool Named)? what = (colon < 0 ? text : text[..colon]) switch
        {
            "ip" => (RequestKeyKind.Ip, false),
            "path" => (RequestKeyKind.Path, false),
            "header" => (RequestKeyKind.Header, true),
            "cookie" => (RequestKeyKind.Cookie, true),
            "query" => (RequestKeyKind.Query, true),
            _ => null,
        };
        key = what is { } known ? new RequestKey(known.Kind, name) : default;
        if (what is not { Named: true }) return what is not null && colon < 0;
        // The name of a query parameter is any text; the others are tokens (RFC 9110 section 5.1, RFC 6265 section 4.1.1).
        return name.Length > 0 && (key.Kind == RequestKeyKind.Query || Syntax.Token(name, "") is null);
    }

    /// <summary>The text form.</summary>
    public override string ToString() => Name is null or "" ? Kind.ToString().ToLowerInvariant() : $"{Kind.ToString().ToLowerInvariant()}:{Name}";
}
