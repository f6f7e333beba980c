namespace Gateway.Core.Router;

/// <summary>A rule that no request can reach.</summary>
/// <param name="Name">The rule.</param>
/// <param name="By">The rule that takes its requests; of several, the one on its first host.</param>
/// <param name="Reason">Why, as a sentence for a person, without full stop.</param>
public sealed record ShadowedRoute(string Name, string By, string Reason);
