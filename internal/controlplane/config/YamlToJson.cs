using System.Buffers;
using System.Text.Json;
using Gateway.Config;
using YamlDotNet.Core;
using YamlDotNet.Core.Events;

namespace Gateway.ControlPlane.Documents;

/// <summary>Writes one YAML document as JSON, token by token.</summary>
internal sealed class YamlToJson(IParser parser, ArrayBufferWriter<byte> output, YamlPlaces places)
{
    private const int MaxDepth = 32;

    /// <summary>What aliases may add to a document: enough for honest reuse, far from a "billion laughs".</summary>
    private const int MaxAliasBytes = 4 << 20;

    private readonly Utf8JsonWriter _json = new(output, new JsonWriterOptions { SkipValidation = true, Encoder = System.Text.Encodings.Web.JavaScriptEncoder.UnsafeRelaxedJsonEscaping });
    private readonly Dictionary<AnchorName, byte[]> _anchors = [];
    private int _aliasBytes;

    /// <exception cref="YamlException">Not YAML.</exception>
    /// <exception cref="YamlRefusedException">YAML that a configuration does not use.</exception>
    public void Convert()
    {
        parser.Consume<StreamStart>();
        if (parser.Accept<StreamEnd>(out StreamEnd? end)) throw Refused("the document is empty; the smallest is \"version: v1\"", end.Start);
        parser.Consume<DocumentStart>();
        Node(0);
        parser.Consume<DocumentEnd>();
        if (parser.Accept<DocumentStart>(out DocumentStart? second)) throw Refused("there is a second document in the file; keep one", second.Start);
        parser.Consume<StreamEnd>();
        _json.Flush();
    }

    private void Node(int depth)
    {
        if (depth > MaxDepth) throw new YamlRefusedException(ConfigErrorCodes.TooDeep, $"values nest deeper than {MaxDepth} levels", parser.Current!.Start);
        ParsingEvent current = parser.Current ?? throw Refused("the document ends too early", Mark.Empty);
        if (current is AnchorAlias alias)
        {
            Alias(alias);
            return;
        }
        if (current is not NodeEvent node) throw Refused("a value is expected here", current.Start);
        if (!node.Tag.IsEmpty) throw Refused("tags are not used in a configuration; remove it", node.Start);
        int start = 0;
        if (!node.Anchor.IsEmpty)
        {
            _json.Flush();
            start = output.WrittenCount;
        }
        Place(node.Start);
        switch (node)
        {
            case Scalar scalar:
                CoreScalar.Write(_json, scalar);
                parser.MoveNext();
                break;
            case SequenceStart:
                Sequence(depth);
                break;
            default:
                Mapping(depth);
                break;
        }
        if (node.Anchor.IsEmpty) return;
        _json.Flush();
        // The separator that the writer puts before the value is not part of it.
        _anchors[node.Anchor] = output.WrittenSpan[start..].TrimStart((byte)',').ToArray();
    }

    private void Sequence(int depth)
    {
        parser.MoveNext();
        _json.WriteStartArray();
        while (!parser.TryConsume<SequenceEnd>(out _)) Node(depth + 1);
        _json.WriteEndArray();
    }

    private void Mapping(int depth)
    {
        parser.MoveNext();
        _json.WriteStartObject();
        while (!parser.TryConsume<MappingEnd>(out _))
        {
            if (!parser.TryConsume<Scalar>(out Scalar? key)) throw Refused("a key is a text", parser.Current?.Start ?? Mark.Empty);
            if (!key.Tag.IsEmpty) throw Refused("tags are not used in a configuration; remove it", key.Start);
            if (!key.Anchor.IsEmpty) throw Refused("a key has no anchor; put it at a value", key.Start);
            if (key is { Value: "<<", Style: ScalarStyle.Plain }) throw Refused("merge keys are not part of YAML 1.2; write the fields out, or use an alias for the whole value", key.Start);
            Place(key.Start);
            _json.WritePropertyName(key.Value);
            Node(depth + 1);
        }
        _json.WriteEndObject();
    }

    private void Alias(AnchorAlias alias)
    {
        if (!_anchors.TryGetValue(alias.Value, out byte[]? value)) throw Refused("there is no such anchor before this alias, or the alias stands inside it; a text that begins with * stands in quotes", alias.Start);
        _aliasBytes += value.Length;
        if (_aliasBytes > MaxAliasBytes) throw new YamlRefusedException(ConfigErrorCodes.TooLarge, $"aliases expand to more than {MaxAliasBytes >> 20}Mi; write less with them", alias.Start);
        Place(alias.Start);
        _json.WriteRawValue(value, skipInputValidation: true);
        parser.MoveNext();
    }

    private void Place(Mark mark) => places.Add((int)(_json.BytesCommitted + _json.BytesPending), mark);

    private static YamlRefusedException Refused(string message, Mark place) => new(ConfigErrorCodes.Syntax, message, place);
}
