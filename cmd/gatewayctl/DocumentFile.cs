using System.CommandLine;
using Gateway.Client;

namespace Gateway.Ctl;

/// <summary>The document a command sends: a file, or stdin as <c>-</c>.</summary>
internal static class DocumentFile
{
    public static readonly Option<bool> Yaml = new("--yaml") { Description = "The document is YAML. Default: by the file's extension, JSON on stdin" };

    public static Argument<string> Argument() => new("FILE") { Description = "The configuration, JSON or YAML; - for stdin" };

    public static async Task<(byte[] Bytes, DocumentFormat Format)> ReadAsync(string file, bool yaml, CancellationToken cancellationToken)
    {
        DocumentFormat format = yaml || Path.GetExtension(file) is ".yaml" or ".yml" ? DocumentFormat.Yaml : DocumentFormat.Json;
        try
        {
            if (file != "-") return (await File.ReadAllBytesAsync(file, cancellationToken), format);
            await using Stream stdin = Console.OpenStandardInput();
            var buffer = new MemoryStream();
            await stdin.CopyToAsync(buffer, cancellationToken);
            return (buffer.ToArray(), format);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw new UserException($"cannot read {file}: {e.Message}");
        }
    }
}
