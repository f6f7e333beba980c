using System.Text;
using System.Text.Json;

namespace Gateway.Config.Reading;

/// <summary>What travels through one read: the place, the errors, the options, and recently seen texts, so that a text repeated in a document is one string.</summary>
internal sealed class ReadContext(ReadOptions options)
{
    /// <summary>Deeper values are refused; no legal document comes near it.</summary>
    public const int MaxDepth = 32;

    private const int CacheSize = 512;
    private const int CachedLength = 48;
    private readonly string?[] _texts = new string?[CacheSize];

    public ReadOptions Options { get; } = options;

    public ErrorList Errors { get; } = new(options.MaxErrors);

    public PathStack Path { get; } = new();

    public bool HoldsLiteralSecret { get; set; }

    public void Error(string code, string message)
    {
        if (Errors.IsFull) Errors.AddUnlisted();
        else Errors.Add(Path.ToString(), code, message);
    }

    public void WrongType(ref Utf8JsonReader reader, string expected, string fix = "")
    {
        Error(ConfigErrorCodes.WrongType, $"expected {expected}, got {JsonTokens.Describe(ref reader)}{fix}");
        Skip(ref reader);
    }

    /// <summary>The text of a string or a property name. False when it holds half a surrogate pair; that was reported.</summary>
    public bool TryText(ref Utf8JsonReader reader, out string text)
    {
        if (!reader.ValueIsEscaped)
        {
            text = Shared(reader.ValueSpan);
            return true;
        }
        try
        {
            text = reader.GetString()!;
            return true;
        }
        catch (InvalidOperationException)
        {
            text = "\uFFFD";
            Error(ConfigErrorCodes.InvalidValue, "the text holds half of a surrogate pair (\\ud800 to \\udfff); write both halves or the character itself");
            return false;
        }
    }

    private string Shared(ReadOnlySpan<byte> utf8)
    {
        if (utf8.Length is 0 or > CachedLength) return Encoding.UTF8.GetString(utf8);
        uint hash = (uint)utf8.Length;
        foreach (byte b in utf8) hash = hash * 31 + b;
        ref string? cached = ref _texts[(hash ^ hash >> 12) % CacheSize];
        if (cached is null || !Ascii.Equals(utf8, cached)) cached = Encoding.UTF8.GetString(utf8);
        return cached;
    }

    /// <summary>Passes over the value that the reader stands on, to its last token, and reports when it nests too deep.</summary>
    public void Skip(ref Utf8JsonReader reader)
    {
        if (reader.TokenType == JsonTokenType.PropertyName) reader.Read();
        if (reader.TokenType is not (JsonTokenType.StartObject or JsonTokenType.StartArray)) return;
        int depth = reader.CurrentDepth;
        bool tooDeep = false;
        while (reader.Read() && reader.CurrentDepth > depth)
        {
            if (tooDeep || reader.CurrentDepth <= MaxDepth) continue;
            tooDeep = true;
            Error(ConfigErrorCodes.TooDeep, $"values nest deeper than {MaxDepth} levels");
        }
    }
}
