namespace Gateway.DataPlane.Proxy;

/// <summary>One request from its arrival to its recorded outcome, with everything that is reused for the connection's next request.</summary>
internal sealed class Exchange
{
}
