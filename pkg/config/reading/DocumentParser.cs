using System.Text;
using System.Text.Json;
using System.Text.Unicode;
using Gateway.Config.Shapes;

namespace Gateway.Config.Reading;

/// <summary>The walk over a whole document: encoding first, then the root object, then nothing more.</summary>
internal static class DocumentParser
{
    /// <summary>The document as far as it could be read, null when not even its root; errors go to the context.</summary>
    public static GatewayConfig? Parse(ReadOnlySpan<byte> utf8, ReadContext context)
    {
        if (!CheckEncoding(ref utf8, context)) return null;
        if (utf8.Trim(" \t\r\n"u8).IsEmpty)
        {
            context.Error(ConfigErrorCodes.Syntax, "the document is empty; the smallest is { \"version\": \"v1\" }");
            return null;
        }
        // Depth is bounded by the shapes, and in what they do not know by ReadContext.Skip, which reports it with its path.
        var reader = new Utf8JsonReader(utf8, new JsonReaderOptions { MaxDepth = int.MaxValue });
        GatewayConfig? config = null;
        try
        {
            reader.Read();
            ConfigShapes.Root.Read(ref reader, context, out config);
            reader.Read();
            return config;
        }
        catch (JsonException e)
        {
            // What was read so far is not validated: what is missing may stand behind the error.
            long offset = LineStart(utf8, e.LineNumber ?? 0) + (e.BytePositionInLine ?? 0);
            context.Errors.Add("", ConfigErrorCodes.Syntax, Plain(e.Message) + TextPosition.Suffix(utf8, (int)Math.Min(offset, utf8.Length)));
            return null;
        }
    }

    private static bool CheckEncoding(ref ReadOnlySpan<byte> utf8, ReadContext context)
    {
        if (utf8.StartsWith((ReadOnlySpan<byte>)[0xFE, 0xFF]) || utf8.StartsWith((ReadOnlySpan<byte>)[0xFF, 0xFE]))
        {
            context.Error(ConfigErrorCodes.Syntax, "the document is UTF-16; save it as UTF-8");
            return false;
        }
        if (utf8.StartsWith((ReadOnlySpan<byte>)[0xEF, 0xBB, 0xBF]))
        {
            context.Error(ConfigErrorCodes.Syntax, "the document starts with a byte order mark; save it as UTF-8 without one");
            utf8 = utf8[3..];
        }
        if (Utf8.IsValid(utf8)) return true;
        int bad = TextPosition.FirstInvalid(utf8);
        context.Error(ConfigErrorCodes.Syntax, $"the byte 0x{utf8[bad]:X2} is not UTF-8; save the document as UTF-8{TextPosition.Suffix(utf8, bad)}");
        return false;
    }

    private static int LineStart(ReadOnlySpan<byte> utf8, long line)
    {
        int start = 0;
        for (; line > 0; line--)
        {
            int end = utf8[start..].IndexOf((byte)'\n');
            if (end < 0) break;
            start += end + 1;
        }
        return start;
    }

    /// <summary>The parser's message without its own position, and without words of the document, which may be a secret.</summary>
    private static string Plain(string message)
    {
        int position = message.IndexOf(" LineNumber:", StringComparison.Ordinal);
        if (position > 0) message = message[..position];
        if (message.Contains("invalid JSON literal", StringComparison.Ordinal)) return "a bare word is not JSON; a text stands in double quotes";
        if (message.StartsWith("'/'", StringComparison.Ordinal)) return "JSON has no comments; remove it";
        if (message.Contains("trailing comma", StringComparison.Ordinal)) return "a comma before the closing bracket; remove it";
        if (message.StartsWith("'''", StringComparison.Ordinal)) return "a single quote; texts and names stand in double quotes";
        message = message.TrimEnd('.');
        return char.ToLowerInvariant(message[0]) + message[1..];
    }
}
