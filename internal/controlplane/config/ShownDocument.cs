using Gateway.Config;
using Gateway.ControlPlane.Apply;

namespace Gateway.ControlPlane.Documents;

/// <summary>A stored document as it may be shown.</summary>
internal static class ShownDocument
{
    // References are not resolved: what they stand for is not looked at.
    private static readonly ReadOptions Unresolved = new();

    /// <summary>
    /// The document itself; or, when a secret stands in it as plain text, its canonical form with <c>***</c> in the secret's place. Null when
    /// it cannot be read any more, so that nobody can say what is in it.
    /// </summary>
    public static (byte[] Content, DocumentFormat Format)? Of(byte[] content, DocumentFormat format)
    {
        ReadResult read = format == DocumentFormat.Yaml ? YamlReader.Read(content, Unresolved) : ConfigReader.ReadJson(content, Unresolved);
        if (read.Config is null) return null;
        return read.HoldsLiteralSecret ? (CanonicalConfig.WriteForDisplay(read.Config), DocumentFormat.Json) : (content, format);
    }

    /// <summary>The same of a layer, which may refer to what other layers bring.</summary>
    public static (ReadOnlyMemory<byte> Content, DocumentFormat Format)? OfLayer(ReadOnlyMemory<byte> content, DocumentFormat format)
    {
        if ((format == DocumentFormat.Yaml ? YamlReader.Convert(content, out _)?.Json : content) is not { } json) return null;
        ReadResult read = ConfigReader.ReadForm(json.Span, Unresolved);
        if (read.Config is null) return null;
        return read.HoldsLiteralSecret ? (CanonicalConfig.WriteForDisplay(read.Config), DocumentFormat.Json) : (content, format);
    }
}
