using System.Text;
using Gateway.Core.Http1;
using Xunit;

namespace Gateway.Core.Tests.Http1;

public sealed class ChunkedDecoderTests
{
    /// <summary>Feeds the text in pieces of the given size; the body, the last event, and how many bytes were consumed in all.</summary>
    private static (string Body, ChunkEvent Last, int Consumed, ParseStatus Error) Decode(byte[] input, int piece)
    {
        var decoder = new ChunkedDecoder();
        var body = new StringBuilder();
        int at = 0;
        while (true)
        {
            ReadOnlySpan<byte> next = input.AsSpan(at, Math.Min(piece, input.Length - at));
            ChunkEvent found = decoder.Next(next, out int consumed, out int start);
            if (found == ChunkEvent.Data) body.Append(Encoding.Latin1.GetString(next[start..consumed]));
            at += consumed;
            if (found is ChunkEvent.Trailers or ChunkEvent.Malformed || (found == ChunkEvent.NeedMore && at == input.Length))
                return (body.ToString(), found, at, decoder.Error);
        }
    }

    [Theory]
    [InlineData("5\r\nhello\r\n0\r\n", "hello")]
    [InlineData("1\r\na\r\n0001\r\nb\r\n000\r\n", "ab")]
    [InlineData("A;name=\"v\"\r\n0123456789\r\n0\r\n", "0123456789")]
    [InlineData("a \t\r\n0123456789\r\n0 ;x\r\n", "0123456789")]
    [InlineData("0\r\n", "")]
    public void A_body_is_decoded_however_it_is_split(string text, string body)
    {
        byte[] input = Encoding.ASCII.GetBytes(text + "\r\nNEXT");
        for (int piece = 1; piece <= input.Length; piece++)
        {
            (string decoded, ChunkEvent last, int consumed, _) = Decode(input, piece);
            Assert.Equal((body, ChunkEvent.Trailers, text.Length), (decoded, last, consumed));
        }
    }

    [Theory]
    [InlineData("\r\n", ParseStatus.BadChunkSize)]
    [InlineData("-1\r\n", ParseStatus.BadChunkSize)]
    [InlineData("+1\r\n", ParseStatus.BadChunkSize)]
    [InlineData("0x5\r\n", ParseStatus.BadChunkSize)]
    [InlineData(" 5\r\n", ParseStatus.BadChunkSize)]
    [InlineData("5 5\r\n", ParseStatus.BadChunkSize)]
    [InlineData("5\nhello", ParseStatus.BadChunkSize)]
    [InlineData("5\rhello", ParseStatus.BareLineEnd)]
    [InlineData("5;a\nhello", ParseStatus.BareLineEnd)]
    [InlineData("5\r\nhelloX", ParseStatus.BadChunkEnd)]
    [InlineData("5\r\nhello\n", ParseStatus.BadChunkEnd)]
    [InlineData("5\r\nhello\rX", ParseStatus.BadChunkEnd)]
    [InlineData("10000000000000000\r\n", ParseStatus.BadChunkSize)]
    [InlineData("8000000000000000\r\n", ParseStatus.BadChunkSize)]
    [InlineData("00000000000000001\r\n", ParseStatus.BadChunkSize)]
    public void Malformed_framing_is_refused(string text, ParseStatus why)
    {
        byte[] input = Encoding.ASCII.GetBytes(text);
        foreach (int piece in (int[])[1, input.Length])
        {
            (_, ChunkEvent last, _, ParseStatus error) = Decode(input, piece);
            Assert.Equal((ChunkEvent.Malformed, why), (last, error));
        }
    }

    [Fact]
    public void Extensions_are_bounded_at_the_limit_and_not_before()
    {
        Assert.Equal(ChunkEvent.Trailers, Decode(Encoding.ASCII.GetBytes("0;" + new string('x', 1023) + "\r\n"), 64).Last);
        Assert.Equal(ParseStatus.ChunkExtensionTooLong, Decode(Encoding.ASCII.GetBytes("0;" + new string('x', 1025) + "\r\n"), 64).Error);
    }

    [Fact]
    public void Random_bytes_never_throw_and_agree_with_a_plain_reference()
    {
        var random = new Random(7);
        byte[] alphabet = "0123aAfF;\r\n x"u8.ToArray();
        for (int i = 0; i < 200_000; i++)
        {
            var input = new byte[random.Next(24)];
            for (int k = 0; k < input.Length; k++) input[k] = alphabet[random.Next(alphabet.Length)];
            (string body, ChunkEvent last, _, _) = Decode(input, 1 + random.Next(8));
            (string expected, ChunkEvent expectedLast) = Reference(Encoding.Latin1.GetString(input));
            Assert.Equal((Encoding.Latin1.GetString(input), expected, expectedLast), (Encoding.Latin1.GetString(input), body, last));
        }
    }

    // Chunk by chunk with plain string operations.
    private static (string Body, ChunkEvent Last) Reference(string text)
    {
        var body = new StringBuilder();
        while (true)
        {
            int digits = text.TakeWhile(c => Uri.IsHexDigit(c)).Count();
            string rest = text[digits..];
            if (digits > 16) return (body.ToString(), ChunkEvent.Malformed);
            if (digits == 0) return (body.ToString(), text.Length == 0 ? ChunkEvent.NeedMore : ChunkEvent.Malformed);
            if (!System.Numerics.BigInteger.TryParse("0" + text[..digits], System.Globalization.NumberStyles.HexNumber, null, out var size) || size > long.MaxValue)
                return (body.ToString(), ChunkEvent.Malformed);
            string padding = new([.. rest.TakeWhile(c => c is ' ' or '\t')]);
            rest = rest[padding.Length..];
            if (rest.StartsWith(';'))
            {
                int end = rest.IndexOfAny(['\r', '\n']);
                if (end < 0) return (body.ToString(), ChunkEvent.NeedMore);
                rest = rest[end..];
                if (rest[0] == '\n') return (body.ToString(), ChunkEvent.Malformed);
            }
            if (rest.Length == 0) return (body.ToString(), ChunkEvent.NeedMore);
            if (rest[0] != '\r') return (body.ToString(), ChunkEvent.Malformed);
            if (rest.Length == 1) return (body.ToString(), ChunkEvent.NeedMore);
            if (rest[1] != '\n') return (body.ToString(), ChunkEvent.Malformed);
            rest = rest[2..];
            if (size == 0) return (body.ToString(), ChunkEvent.Trailers);
            int take = (int)System.Numerics.BigInteger.Min(size, rest.Length);
            body.Append(rest, 0, take);
            if (take < size) return (body.ToString(), ChunkEvent.NeedMore);
            rest = rest[take..];
            if (rest.Length > 0 && rest[0] != '\r') return (body.ToString(), ChunkEvent.Malformed);
            if (rest.Length > 1 && rest[1] != '\n') return (body.ToString(), ChunkEvent.Malformed);
            if (rest.Length < 2) return (body.ToString(), ChunkEvent.NeedMore);
            text = rest[2..];
        }
    }
}
