using System.Text;
using Gateway.Core.Http1;
using Xunit;

namespace Gateway.Core.Tests.Http1;

public sealed class ResponseHeadTests
{
    private static ParseStatus Parse(string text, out ResponseHead head, int maxFields = 64) =>
        ResponseHead.Parse(Encoding.Latin1.GetBytes(text), new HeaderField[maxFields], out head);

    [Fact]
    public void A_head_is_read_with_its_fields_and_its_length()
    {
        byte[] bytes = "HTTP/1.1 200 OK\r\nContent-Length: 5\r\nX-A:  b c \t\r\n\r\nhello"u8.ToArray();
        var fields = new HeaderField[8];

        Assert.Equal(ParseStatus.Complete, ResponseHead.Parse(bytes, fields, out ResponseHead head));

        Assert.Equal((200, 1, 2, 5L), (head.Status, head.MinorVersion, head.FieldCount, head.Facts.ContentLength));
        Assert.Equal("hello", Encoding.ASCII.GetString(bytes[head.Length..]));
        Assert.Equal("X-A", Encoding.ASCII.GetString(fields[1].Name(bytes)));
        Assert.Equal("b c", Encoding.ASCII.GetString(fields[1].Value(bytes)));
        Assert.Equal(FieldKind.ContentLength, fields[0].Kind);
    }

    [Fact]
    public void Every_prefix_of_a_valid_head_asks_for_more()
    {
        const string head = "HTTP/1.0 404 Not Found\r\nConnection: keep-alive, X-Hop\r\nX-Hop: 1\r\nEmpty:\r\n\r\n";
        for (int n = 0; n < head.Length; n++) Assert.Equal(ParseStatus.NeedMore, Parse(head[..n], out _));
        Assert.Equal(ParseStatus.Complete, Parse(head, out ResponseHead parsed));
        Assert.True(parsed.IsPersistent);
    }

    [Theory]
    [InlineData("HTTP/1.1 200\r\n\r\n")]
    [InlineData("HTTP/1.1 200 \r\n\r\n")]
    [InlineData("HTTP/1.1 200 Très bien\r\n\r\n")]
    [InlineData("HTTP/1.9 200 OK\r\n\r\n")]
    [InlineData("HTTP/1.1 200 OK\r\nTransfer-Encoding: Chunked\r\n\r\n")]
    [InlineData("HTTP/1.1 204 No Content\r\nContent-Length: 0\r\n\r\n")]
    public void Tolerated(string head) => Assert.Equal(ParseStatus.Complete, Parse(head, out _));

    [Theory]
    [InlineData("HTTP/2.0 200 OK\r\n\r\n", ParseStatus.BadStartLine)]
    [InlineData("ICY 200 OK\r\n\r\n", ParseStatus.BadStartLine)]
    [InlineData("SSH-2.0-OpenSSH", ParseStatus.BadStartLine)]
    [InlineData("\r\nHTTP/1.1 200 OK\r\n\r\n", ParseStatus.BadStartLine)]
    [InlineData("HTTP/1.1  200 OK\r\n\r\n", ParseStatus.BadStatusCode)]
    [InlineData("HTTP/1.1 2000 OK\r\n\r\n", ParseStatus.BadStartLine)]
    [InlineData("HTTP/1.1 099 X\r\n\r\n", ParseStatus.BadStatusCode)]
    [InlineData("HTTP/1.1 600 X\r\n\r\n", ParseStatus.BadStatusCode)]
    [InlineData("HTTP/1.1 -20 X\r\n\r\n", ParseStatus.BadStatusCode)]
    [InlineData("HTTP/1.1 200 OK\nX: 1\r\n\r\n", ParseStatus.BareLineEnd)]
    [InlineData("HTTP/1.1 200 O\0K\r\n\r\n", ParseStatus.BareLineEnd)]
    [InlineData("HTTP/1.1 200 OK\r\nX: 1\n\r\n", ParseStatus.BareLineEnd)]
    [InlineData("HTTP/1.1 200 OK\r\nX: 1\rY: 2\r\n\r\n", ParseStatus.BareLineEnd)]
    [InlineData("HTTP/1.1 200 OK\r\n\nX", ParseStatus.BareLineEnd)]
    [InlineData("HTTP/1.1 200 OK\r\nX: a\0b\r\n\r\n", ParseStatus.BadFieldValue)]
    [InlineData("HTTP/1.1 200 OK\r\nX : 1\r\n\r\n", ParseStatus.BadFieldName)]
    [InlineData("HTTP/1.1 200 OK\r\n: 1\r\n\r\n", ParseStatus.BadFieldName)]
    [InlineData("HTTP/1.1 200 OK\r\nX\r\n\r\n", ParseStatus.BadFieldName)]
    [InlineData("HTTP/1.1 200 OK\r\n X: 1\r\n\r\n", ParseStatus.BadFieldName)]
    [InlineData("HTTP/1.1 200 OK\r\nX: 1\r\n folded\r\n\r\n", ParseStatus.ObsoleteFold)]
    [InlineData("HTTP/1.1 200 OK\r\nContent-Length: +5\r\n\r\n", ParseStatus.BadContentLength)]
    [InlineData("HTTP/1.1 200 OK\r\nContent-Length: \r\n\r\n", ParseStatus.BadContentLength)]
    [InlineData("HTTP/1.1 200 OK\r\nContent-Length: 0x10\r\n\r\n", ParseStatus.BadContentLength)]
    [InlineData("HTTP/1.1 200 OK\r\nContent-Length: 9999999999999999999\r\n\r\n", ParseStatus.BadContentLength)]
    [InlineData("HTTP/1.1 200 OK\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\n", ParseStatus.ConflictingContentLength)]
    [InlineData("HTTP/1.1 200 OK\r\nContent-Length: 5\r\ncontent-length: 5\r\n\r\n", ParseStatus.ConflictingContentLength)]
    [InlineData("HTTP/1.1 200 OK\r\nContent-Length: 5, 5\r\n\r\n", ParseStatus.BadContentLength)]
    [InlineData("HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip, chunked\r\n\r\n", ParseStatus.UnsupportedTransferEncoding)]
    [InlineData("HTTP/1.1 200 OK\r\nTransfer-Encoding: xchunked\r\n\r\n", ParseStatus.UnsupportedTransferEncoding)]
    [InlineData("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n", ParseStatus.UnsupportedTransferEncoding)]
    [InlineData("HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", ParseStatus.UnsupportedTransferEncoding)]
    [InlineData("HTTP/1.1 204 OK\r\nTransfer-Encoding: chunked\r\n\r\n", ParseStatus.UnsupportedTransferEncoding)]
    [InlineData("HTTP/1.1 200 OK\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n", ParseStatus.LengthAndTransferEncoding)]
    public void Refused(string head, ParseStatus why) => Assert.Equal(why, Parse(head, out _));

    [Fact]
    public void The_number_of_fields_is_bounded_at_the_limit_and_not_before()
    {
        string Head(int n) => "HTTP/1.1 200 OK\r\n" + string.Concat(Enumerable.Repeat("A: b\r\n", n)) + "\r\n";
        Assert.Equal(ParseStatus.Complete, Parse(Head(4), out _, maxFields: 4));
        Assert.Equal(ParseStatus.TooManyFields, Parse(Head(5), out _, maxFields: 4));
    }

    [Fact]
    public void Fields_that_Connection_names_belong_to_the_hop()
    {
        byte[] bytes = "HTTP/1.1 200 OK\r\nX-Hop: 1\r\nConnection: x-hop , close\r\nX-End: 2\r\n\r\n"u8.ToArray();
        var fields = new HeaderField[8];

        Assert.Equal(ParseStatus.Complete, ResponseHead.Parse(bytes, fields, out ResponseHead head));

        Assert.Equal([FieldKind.NamedByConnection, FieldKind.Connection, FieldKind.Other], fields[..3].Select(f => f.Kind));
        Assert.False(head.IsPersistent);
    }

    [Theory]
    [InlineData(200, "Content-Length: 7\r\n", false, BodyKind.Length, 7)]
    [InlineData(200, "Content-Length: 7\r\n", true, BodyKind.None, 0)]
    [InlineData(200, "Transfer-Encoding: chunked\r\n", false, BodyKind.Chunked, -1)]
    [InlineData(200, "", false, BodyKind.UntilClose, -1)]
    [InlineData(204, "Content-Length: 7\r\n", false, BodyKind.None, 0)]
    [InlineData(304, "Content-Length: 7\r\n", false, BodyKind.None, 0)]
    [InlineData(103, "", false, BodyKind.None, 0)]
    [InlineData(101, "", false, BodyKind.Tunnel, 0)]
    public void The_body_is_framed_as_RFC_9112_says(int status, string fields, bool toHead, BodyKind kind, long length)
    {
        Assert.Equal(ParseStatus.Complete, Parse($"HTTP/1.1 {status} X\r\n{fields}\r\n", out ResponseHead head));
        Assert.Equal(new BodyFraming(kind, length), BodyFraming.OfResponse(head, toHead, toConnect: false));
    }

    [Fact]
    public void Mutated_heads_never_throw_and_never_parse_past_their_end()
    {
        byte[] seed = "HTTP/1.1 200 OK\r\nContent-Length: 12\r\nConnection: x, close\r\nX: y\r\nTransfer-Encoding: chunked\r\n\r\n"u8.ToArray();
        var random = new Random(20261120);
        var fields = new HeaderField[16];
        for (int i = 0; i < 200_000; i++)
        {
            byte[] bytes = seed[..random.Next(seed.Length + 1)];
            for (int m = random.Next(4); m > 0 && bytes.Length > 0; m--) bytes[random.Next(bytes.Length)] = (byte)random.Next(256);
            ParseStatus status = ResponseHead.Parse(bytes, fields, out ResponseHead head);
            if (status == ParseStatus.Complete)
            {
                Assert.InRange(head.Length, 1, bytes.Length);
                Assert.True(bytes.AsSpan(0, head.Length).EndsWith("\r\n\r\n"u8));
            }
        }
    }
}
