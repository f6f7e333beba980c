using Gateway.Core.Router;

namespace Gateway.DataPlane.Runtime;

/// <summary>A request that was served, as far as it is kept.</summary>
/// <param name="Listener">The listener's name.</param>
internal sealed record RecordedRequest(DescribedRequest Request, string Listener)
{
    /// <summary>How many are its own; names of fields and listeners are shared.</summary>
    public int Characters
    {
        get
        {
            int characters = Request.HostText.Length + Request.PathText.Length + Request.QueryText.Length;
            foreach (KeyValuePair<string, string> header in Request.Headers) characters += header.Value.Length;
            return characters;
        }
    }
}
