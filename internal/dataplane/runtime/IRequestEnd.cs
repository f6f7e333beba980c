namespace Gateway.DataPlane.Runtime;

/// <summary>Is told when a request has ended, whatever became of it: for what was taken at its beginning and must be given back.</summary>
internal interface IRequestEnd
{
    /// <summary>Called once, after the last byte of the response, the end of the tunnel, or the failure. Must not throw.</summary>
    void OnEnd(RequestContext context);
}
