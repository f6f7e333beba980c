namespace Gateway.Core.Router;

/// <summary>A rule that no request can reach.</summary>
/// <param name="Name">The rule.</param>
/// <param name="By">The rules that take its requests, together; where they are others on other hosts, those on its first host.</param>
/// <param name="Reason">Why, as a sentence for a person, without full stop.</param>
public sealed record ShadowedRoute(string Name, IReadOnlyList<string> By, string Reason);
