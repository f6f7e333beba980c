using System.Buffers;
using System.Text;
using Gateway.Config;
using YamlDotNet.Core;

namespace Gateway.ControlPlane.Documents;

/// <summary>
/// YAML 1.2 with the core schema, of which configuration needs the JSON part: maps with text keys, lists, scalars, anchors and aliases
/// (bounded). Tags, merge keys and several documents in one file are refused. A document is turned into JSON and read as such, so that
/// both languages have one set of rules; errors carry the line and column of the YAML.
/// </summary>
internal static class YamlReader
{
    public static ReadResult Read(ReadOnlyMemory<byte> document, ReadOptions options) =>
        Convert(document, out ConfigError? error) is { } converted ? ConfigReader.ReadJson(converted.Json.Span, options with { Position = converted.Places.Find }) : new ReadResult(null, [error!], []);

    /// <summary>The document as JSON, and where each token of that stands in the YAML; null with an error when it is no YAML that is taken.</summary>
    public static (ReadOnlyMemory<byte> Json, YamlPlaces Places)? Convert(ReadOnlyMemory<byte> document, out ConfigError? error)
    {
        error = null;
        var json = new ArrayBufferWriter<byte>(document.Length + 256);
        var places = new YamlPlaces();
        try
        {
            string text = Decode(document.Span);
            new YamlToJson(new Parser(new StringReader(text)), json, places).Convert();
        }
        catch (YamlRefusedException refused)
        {
            error = Failed(refused.Code, refused.Message, refused.Place);
        }
        catch (YamlException e)
        {
            error = Failed(ConfigErrorCodes.Syntax, Plain(e.Message), e.Start);
        }
        // The parser means to throw YamlException only; text that leads it astray in another way is broken all the same.
        catch (Exception e) when (e is InvalidOperationException or ArgumentException or IndexOutOfRangeException or FormatException or OverflowException or NullReferenceException or KeyNotFoundException or InvalidCastException)
        {
            error = Failed(ConfigErrorCodes.Syntax, "this is not YAML", default);
        }
        return error is null ? (json.WrittenMemory, places) : null;
    }

    private static string Decode(ReadOnlySpan<byte> utf8)
    {
        try
        {
            string text = new UTF8Encoding(false, throwOnInvalidBytes: true).GetString(utf8);
            return text.StartsWith('\uFEFF') ? text[1..] : text;
        }
        catch (DecoderFallbackException e)
        {
            ReadOnlySpan<byte> before = utf8[..Math.Clamp(e.Index, 0, utf8.Length)];
            throw new YamlRefusedException(ConfigErrorCodes.Syntax, "the document is not UTF-8 from here on; save it as UTF-8",
                new Mark(e.Index, before.Count((byte)'\n') + 1, before.Length - before.LastIndexOf((byte)'\n')));
        }
    }

    private static ConfigError Failed(string code, string message, Mark place) =>
        new("", code, place.Line == 0 ? message : $"{message} (line {place.Line}, column {place.Column})");

    private static string Plain(string message)
    {
        message = message.Trim().TrimEnd('.');
        return message.Length == 0 ? "this is not YAML" : char.ToLowerInvariant(message[0]) + message[1..];
    }
}
