using System.Text;
using Gateway.Core.Http1;

namespace Gateway.Core.Tests.Http1;

/// <summary>What is plain, and that everything else is left to a complete parser.</summary>
public sealed class PlainRequestTests
{
    private const string Plain = "GET /a/b?x=1%20y HTTP/1.1\r\nHost: shop.example.com:8080\r\nUser-Agent: x (y) z/1\r\nX-Empty:\r\nConnection: keep-alive\r\n\r\n";

    private static bool Read(string text, out PlainLine line, out PlainFields fields, int room = 48)
    {
        byte[] bytes = Encoding.Latin1.GetBytes(text);
        fields = default;
        return PlainRequest.TryReadLine(bytes, out line) && PlainRequest.TryReadFields(bytes, line.FieldsStart, new HeaderField[room], out fields);
    }

    [Fact]
    public void APlainRequest_IsReadToItsEnd()
    {
        Assert.True(Read(Plain + "GET /next", out PlainLine line, out PlainFields fields));
        Assert.Equal(PlainMethod.Get, line.Method);
        Assert.Equal("/a/b?x=1%20y", Plain.Substring(line.TargetStart, line.TargetLength));
        Assert.Equal(Plain.Length, fields.End);
        Assert.Equal(4, fields.Count);
        Assert.Equal(-1, fields.ContentLength);
        Assert.False(fields.Close);
    }

    [Theory]
    [InlineData("GET")]
    [InlineData("HEAD")]
    [InlineData("POST")]
    [InlineData("PUT")]
    [InlineData("DELETE")]
    [InlineData("PATCH")]
    [InlineData("OPTIONS")]
    public void TheWellKnownMethods_ArePlain(string method)
    {
        Assert.True(Read($"{method} /abc HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\nConnection: close\r\n\r\n", out PlainLine line, out PlainFields fields));
        Assert.Equal(method, line.Method.ToString().ToUpperInvariant());
        Assert.Equal((method.Length + 1, 4), (line.TargetStart, line.TargetLength));
        Assert.Equal(5, fields.ContentLength);
        Assert.True(fields.Close);
    }

    [Theory]
    // The request line.
    [InlineData("get / HTTP/1.1\r\nHost: a\r\n\r\n")]
    [InlineData("CONNECT a:1 HTTP/1.1\r\nHost: a\r\n\r\n")]
    [InlineData("TRACE / HTTP/1.1\r\nHost: a\r\n\r\n")]
    [InlineData("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n")]
    [InlineData("GET  / HTTP/1.1\r\nHost: a\r\n\r\n")]
    [InlineData("GET /  HTTP/1.1\r\nHost: a\r\n\r\n")]
    [InlineData("GET / a HTTP/1.1\r\nHost: a\r\n\r\n")]
    [InlineData("GET\t/ HTTP/1.1\r\nHost: a\r\n\r\n")]
    [InlineData("GET / HTTP/1.0\r\nHost: a\r\n\r\n")]
    [InlineData("GET / HTTP/1.2\r\nHost: a\r\n\r\n")]
    [InlineData("GET / http/1.1\r\nHost: a\r\n\r\n")]
    [InlineData("GET / HTTP/1.1\nHost: a\r\n\r\n")]
    [InlineData("GET / HTTP/1.1 \r\nHost: a\r\n\r\n")]
    [InlineData("GET /\r\nHost: a\r\n\r\n")]
    [InlineData("GET HTTP/1.1\r\nHost: a\r\n\r\n")]
    [InlineData("\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\n")]
    [InlineData(" GET / HTTP/1.1\r\nHost: a\r\n\r\n")]
    // The target.
    [InlineData("OPTIONS * HTTP/1.1\r\nHost: a\r\n\r\n")]
    [InlineData("GET http://a/ HTTP/1.1\r\nHost: a\r\n\r\n")]
    [InlineData("GET a HTTP/1.1\r\nHost: a\r\n\r\n")]
    [InlineData("GET /a#b HTTP/1.1\r\nHost: a\r\n\r\n")]
    [InlineData("GET /a\\b HTTP/1.1\r\nHost: a\r\n\r\n")]
    [InlineData("GET /a\"b HTTP/1.1\r\nHost: a\r\n\r\n")]
    [InlineData("GET /a\u00e9 HTTP/1.1\r\nHost: a\r\n\r\n")]
    [InlineData("GET /a%00b HTTP/1.1\r\nHost: a\r\n\r\n")]
    [InlineData("GET /a\0b HTTP/1.1\r\nHost: a\r\n\r\n")]
    // Fields.
    [InlineData("GET / HTTP/1.1\r\n\r\n")]
    [InlineData("GET / HTTP/1.1\r\nHost:\r\n\r\n")]
    [InlineData("GET / HTTP/1.1\r\nHost: a\r\nHost: a\r\n\r\n")]
    [InlineData("GET / HTTP/1.1\r\nHost: a\r\nhOST: a\r\n\r\n")]
    [InlineData("GET / HTTP/1.1\r\nHost: a b\r\n\r\n")]
    [InlineData("GET / HTTP/1.1\r\nHost: a/b\r\n\r\n")]
    [InlineData("GET / HTTP/1.1\r\nHost: a@b\r\n\r\n")]
    [InlineData("GET / HTTP/1.1\r\nHost: [::1]\r\n\r\n")]
    [InlineData("GET / HTTP/1.1\r\nHost: a:\r\n\r\n")]
    [InlineData("GET / HTTP/1.1\r\nHost: a:80x\r\n\r\n")]
    [InlineData("GET / HTTP/1.1\r\nHost: a:123456\r\n\r\n")]
    [InlineData("GET / HTTP/1.1\r\nHost: :80\r\n\r\n")]
    [InlineData("GET / HTTP/1.1\r\nHost : a\r\n\r\n")]
    [InlineData("GET / HTTP/1.1\r\nHost: a\r\n X: b\r\n\r\n")]
    [InlineData("GET / HTTP/1.1\r\nHost: a\r\nX: b\r\n c\r\n\r\n")]
    [InlineData("GET / HTTP/1.1\r\nHost: a\r\nX: b\nY: c\r\n\r\n")]
    [InlineData("GET / HTTP/1.1\r\nHost: a\r\nX: b\rc\r\n\r\n")]
    [InlineData("GET / HTTP/1.1\r\nHost: a\r\nX: b\0c\r\n\r\n")]
    [InlineData("GET / HTTP/1.1\r\nHost: a\r\nX: b\tc\r\n\r\n")]
    [InlineData("GET / HTTP/1.1\r\nHost: a\r\nX: \u00e9\r\n\r\n")]
    [InlineData("GET / HTTP/1.1\r\nHost: a\r\nX\r\n\r\n")]
    [InlineData("GET / HTTP/1.1\r\nHost: a\r\n: b\r\n\r\n")]
    [InlineData("GET / HTTP/1.1\r\nHost: a\r\nX: 1\r\nX: 2\r\n\r\n")]
    [InlineData("POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n")]
    [InlineData("POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: gzip\r\n\r\n")]
    [InlineData("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n")]
    [InlineData("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: +1\r\n\r\nx")]
    [InlineData("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: -1\r\n\r\nx")]
    [InlineData("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1, 1\r\n\r\nx")]
    [InlineData("POST / HTTP/1.1\r\nHost: a\r\nContent-Length:\r\n\r\nx")]
    [InlineData("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nContent-Length: 1\r\n\r\nx")]
    [InlineData("POST / HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 1\r\n\r\nx")]
    [InlineData("GET / HTTP/1.1\r\nHost: a\r\nUpgrade: websocket\r\nConnection: upgrade\r\n\r\n")]
    [InlineData("GET / HTTP/1.1\r\nHost: a\r\nConnection: upgrade\r\n\r\n")]
    [InlineData("GET / HTTP/1.1\r\nHost: a\r\nUpgrade: h2c\r\n\r\n")]
    [InlineData("GET / HTTP/1.1\r\nHost: a\r\nConnection: x-mine\r\nX-Mine: 1\r\n\r\n")]
    [InlineData("GET / HTTP/1.1\r\nHost: a\r\nTrailer: x\r\n\r\n")]
    [InlineData("GET / HTTP/1.1\r\nHost: a\r\nProxy-Connection: close\r\n\r\n")]
    public void WhatIsNotPlain_IsLeftAlone(string text) => Assert.False(Read(text, out _, out _));

    [Fact]
    public void ARequestThatHasNotComeWhole_IsNotPlain()
    {
        for (int length = 0; length < Plain.Length; length++) Assert.False(Read(Plain[..length], out _, out _), $"the first {length} bytes");
    }

    [Fact]
    public void MoreFieldsThanThereIsRoomFor_AreNotPlain()
    {
        string Fields(int n) => "GET / HTTP/1.1\r\nHost: a\r\n" + string.Concat(Enumerable.Range(1, n - 1).Select(static i => $"X-{i}: 1\r\n")) + "\r\n";
        Assert.True(Read(Fields(4), out _, out PlainFields four, room: 4));
        Assert.Equal(4, four.Count);
        Assert.False(Read(Fields(5), out _, out _, room: 4));
    }

    /// <summary>Any one byte changed gives a request that is not plain, or one whose parts still make up its bytes.</summary>
    [Fact]
    public void AnyByteChanged_LeavesNoOtherReading()
    {
        byte[] bytes = Encoding.Latin1.GetBytes(Plain);
        HeaderField[] fields = new HeaderField[48];
        for (int at = 0; at < bytes.Length; at++)
        {
            byte before = bytes[at];
            for (int value = 0; value < 256; value++)
            {
                bytes[at] = (byte)value;
                if (PlainRequest.TryReadLine(bytes, out PlainLine line) && PlainRequest.TryReadFields(bytes, line.FieldsStart, fields, out PlainFields parsed))
                {
                    Assert.Equal(bytes.Length, parsed.End);
                    StringBuilder again = new($"{line.Method.ToString().ToUpperInvariant()} {Encoding.Latin1.GetString(bytes, line.TargetStart, line.TargetLength)} HTTP/1.1\r\n");
                    foreach (HeaderField field in fields.AsSpan(0, parsed.Count))
                    {
                        string text = Encoding.Latin1.GetString(field.Value(bytes));
                        again.Append(Encoding.Latin1.GetString(field.Name(bytes))).Append(text.Length == 0 ? ":" : ": ").Append(text).Append("\r\n");
                    }
                    Assert.Equal(Squeezed(Encoding.Latin1.GetString(bytes)), Squeezed(again.Append("\r\n").ToString()));
                }
                bytes[at] = before;
            }
        }
        // White space round a value is no part of it.
        static string Squeezed(string text) => string.Join("\r\n", text.Split("\r\n").Select(static line => line.Split(':', 2) is [var name, var value] ? $"{name}:{value.Trim(' ', '\t')}" : line));
    }
}
