using Gateway.Core.Router;

namespace Gateway.DataPlane.Runtime;

/// <summary>A request that was served, as far as it is kept.</summary>
/// <param name="Listener">The listener's name.</param>
internal sealed record RecordedRequest(DescribedRequest Request, string Listener);
