using YamlDotNet.Core;

namespace Gateway.ControlPlane.Documents;

/// <summary>Leaves the conversion at what it does not take: cold, and the depth of the recursion makes it the shortest way out.</summary>
internal sealed class YamlRefusedException(string code, string message, Mark place) : Exception(message)
{
    public string Code { get; } = code;

    public Mark Place { get; } = place;
}
