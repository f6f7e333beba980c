using Gateway.Config;
using Gateway.ControlPlane.Documents;

namespace Gateway.ControlPlane.Apply;

/// <summary>A document that was read, with its version, or everything that is wrong with it.</summary>
public sealed record DocumentReading(GatewayConfig? Config, string? Version, IReadOnlyList<ConfigError> Errors, IReadOnlyList<ConfigError> Warnings);

/// <summary>From bytes to a valid configuration and its version: size, language, form and meaning, secrets. Thread safe.</summary>
public sealed class DocumentReader(string baseDirectory)
{
    private readonly ReadOptions _options = new()
    {
        EnvironmentVariable = Environment.GetEnvironmentVariable,
        SecretFile = path => SecretFile.Read(Path.Combine(baseDirectory, path)),
    };

    public DocumentReading Read(ConfigDocument document)
    {
        if (document.Content.Length > ConfigDocument.MaxBytes)
        {
            return new DocumentReading(null, null, [new ConfigError("", ConfigErrorCodes.TooLarge,
                $"the document has {document.Content.Length} bytes; at most {ConfigDocument.MaxBytes} are read. Split it over several gateways, or use prefixes and wildcards in place of single routes.")], []);
        }
        ReadResult read = document.Format == DocumentFormat.Yaml
            ? YamlReader.Read(document.Content, _options)
            : ConfigReader.ReadJson(document.Content.Span, document.Merged is { } merged ? _options with { Position = merged.Position } : _options);
        return read.Config is null
            ? new DocumentReading(null, null, read.Errors, read.Warnings)
            : new DocumentReading(read.Config, CanonicalConfig.Version(read.Config), [], read.Warnings);
    }
}
