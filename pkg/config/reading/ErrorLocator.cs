using System.Text.Json;

namespace Gateway.Config.Reading;

/// <summary>
/// Adds to messages where in the text their paths stand. Looked up after the fact, by a second walk that enters only what leads to an
/// error: a document without errors pays nothing for it.
/// </summary>
internal static class ErrorLocator
{
    public static IReadOnlyList<ConfigError> Locate(ReadOnlySpan<byte> utf8, IReadOnlyList<ConfigError> errors, Func<int, (int Line, int Column)>? position)
    {
        var wanted = new HashSet<string>(StringComparer.Ordinal);
        foreach (ConfigError error in errors)
            for (string path = error.Path; path.Length > 0 && wanted.Add(path);) path = Parent(path);
        if (wanted.Count == 0) return errors;

        Dictionary<string, int> offsets = Find(utf8, wanted);
        var located = new ConfigError[errors.Count];
        for (int i = 0; i < located.Length; i++) located[i] = Located(errors[i], utf8, offsets, position);
        return located;
    }

    private static ConfigError Located(ConfigError error, ReadOnlySpan<byte> utf8, Dictionary<string, int> offsets, Func<int, (int Line, int Column)>? position)
    {
        // A missing field has the place of the object that it is missing from.
        string path = error.Path;
        while (path.Length > 0 && !offsets.ContainsKey(path)) path = Parent(path);
        if (path.Length == 0) return error;
        int offset = offsets[path];
        return error with { Message = error.Message + TextPosition.Suffix(position?.Invoke(offset) ?? TextPosition.Of(utf8, offset)) };
    }

    private static Dictionary<string, int> Find(ReadOnlySpan<byte> utf8, HashSet<string> wanted)
    {
        var offsets = new Dictionary<string, int>(StringComparer.Ordinal);
        int skipped = utf8.StartsWith((ReadOnlySpan<byte>)[0xEF, 0xBB, 0xBF]) ? 3 : 0;
        var reader = new Utf8JsonReader(utf8[skipped..], new JsonReaderOptions { MaxDepth = int.MaxValue });
        var walk = new Walk(wanted, offsets, skipped);
        try
        {
            reader.Read();
            walk.Value(ref reader);
        }
        catch (JsonException)
        {
            // The document ends in a syntax error, which is reported by itself; what stands before it was found.
        }
        return offsets;
    }

    /// <summary>The path without its last part.</summary>
    private static string Parent(string path)
    {
        int end = path.EndsWith("\"]", StringComparison.Ordinal) ? path.LastIndexOf("[\"", StringComparison.Ordinal) : Math.Max(path.LastIndexOf('.'), path.LastIndexOf('['));
        return end <= 0 ? "" : path[..end];
    }

    private sealed class Walk(HashSet<string> wanted, Dictionary<string, int> offsets, int skipped)
    {
        private readonly PathStack _path = new();

        public void Value(ref Utf8JsonReader reader)
        {
            if (reader.TokenType == JsonTokenType.StartObject)
            {
                while (reader.Read() && reader.TokenType != JsonTokenType.EndObject)
                {
                    int offset = (int)reader.TokenStartIndex + skipped;
                    _path.Push(Name(ref reader));
                    reader.Read();
                    Member(ref reader, offset);
                }
            }
            else if (reader.TokenType == JsonTokenType.StartArray)
            {
                for (int i = 0; reader.Read() && reader.TokenType != JsonTokenType.EndArray; i++)
                {
                    _path.PushIndex(i);
                    Member(ref reader, (int)reader.TokenStartIndex + skipped);
                }
            }
        }

        private void Member(ref Utf8JsonReader reader, int offset)
        {
            string path = _path.ToString();
            if (wanted.Contains(path))
            {
                // The last of two equal keys is the one too many.
                offsets[path] = offset;
                // Paths are as deep as shapes are, and so is this recursion.
                Value(ref reader);
            }
            else
            {
                reader.Skip();
            }
            _path.Pop();
        }

        private static string Name(ref Utf8JsonReader reader)
        {
            try
            {
                return reader.GetString()!;
            }
            catch (InvalidOperationException)
            {
                return "\uFFFD";
            }
        }
    }
}
