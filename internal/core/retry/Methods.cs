namespace Gateway.Core.Retry;

/// <summary>What the registered methods promise (RFC 9110 sections 9.2.1 and 9.2.2). Method names compare with case; an unknown one promises nothing.</summary>
public static class Methods
{
    /// <summary>It only reads: sent twice at once, it does no harm.</summary>
    public static bool IsSafe(string method) => method is "GET" or "HEAD" or "OPTIONS" or "TRACE";

    /// <summary>Done twice, it has the effect of once.</summary>
    public static bool IsIdempotent(string method) => IsSafe(method) || method is "PUT" or "DELETE";
}
