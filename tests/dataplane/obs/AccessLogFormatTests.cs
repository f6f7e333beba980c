using System.Net;
using System.Text.Json;
using Gateway.Config;
using Gateway.DataPlane.Obs;
using Xunit;

namespace Gateway.DataPlane.Tests.Obs;

public sealed class AccessLogFormatTests
{
    private static async Task<string> LineAsync(AccessLogConfig config, AccessLogEntry entry)
    {
        await using LogFixture fixture = new(config);
        fixture.Log.Write(entry);
        return Assert.Single(await fixture.LinesAsync());
    }

    [Fact]
    public void FieldsThatADocumentMayName_AreTheFieldsOfALine() =>
        Assert.Equal(AccessLogFieldNames.All, AccessLogFields.All.Select(AccessLogFields.Name));

    [Fact]
    public async Task Json_HasEveryField() => Assert.Equal(
        """{"time":"2026-03-04T05:06:06.890Z","requestId":"0199-abc","method":"GET","scheme":"https","host":"shop.example.com:8443","path":"/api/x","query":"q=1","protocol":"HTTP/2","status":502,"route":"shop","pool":"shop-pool","endpoint":"10.0.0.1:8080","attempts":2,"breaker":"closed","category":"upstream_reset","detail":"the connection was reset","snapshot":"abc123","variant":"canary","clientIp":"192.0.2.7","listener":"web","durationMs":12.345,"upstreamMs":7,"requestBytes":12,"responseBytes":345,"userAgent":"curl/8","referer":"https://example.com/from?page=2","tlsVersion":"TLSv1.3","tlsCipher":"TLS_AES_128_GCM_SHA256","sni":"shop.example.com"}""",
        await LineAsync(new(), LogFixture.Full()));

    [Fact]
    public async Task Json_HasNullForWhatIsNotKnown() => Assert.Equal(
        """{"time":"2026-03-04T05:06:05.890Z","requestId":null,"method":null,"scheme":null,"host":null,"path":"-","query":null,"protocol":null,"status":400,"route":null,"pool":null,"endpoint":null,"attempts":0,"breaker":null,"category":null,"detail":null,"snapshot":null,"variant":null,"clientIp":null,"listener":null,"durationMs":null,"upstreamMs":null,"requestBytes":0,"responseBytes":0,"userAgent":null,"referer":null,"tlsVersion":null,"tlsCipher":null,"sni":null}""",
        await LineAsync(new(), new AccessLogEntry { Status = 400 }));

    [Fact]
    public async Task Common_IsNcsa() => Assert.Equal(
        """192.0.2.7 - - [04/Mar/2026:05:06:06 +0000] "GET /api/x?q=1 HTTP/2" 502 345""",
        await LineAsync(new() { Format = AccessLogFormat.Common }, LogFixture.Full()));

    [Fact]
    public async Task Combined_AddsRefererAndUserAgent() => Assert.Equal(
        """192.0.2.7 - - [04/Mar/2026:05:06:06 +0000] "GET /api/x?q=1 HTTP/2" 502 345 "https://example.com/from?page=2" "curl/8" """.TrimEnd(),
        await LineAsync(new() { Format = AccessLogFormat.Combined }, LogFixture.Full()));

    [Fact]
    public async Task Combined_HasADashForWhatIsNotKnown() => Assert.Equal(
        """- - - [04/Mar/2026:05:06:05 +0000] "- - -" 0 - "-" "-" """.TrimEnd(),
        await LineAsync(new() { Format = AccessLogFormat.Combined }, default));

    [Fact]
    public async Task Fields_AreWrittenInTheOrderTheyAreNamed() => Assert.Equal(
        """{"status":502,"path":"/api/x","route":"shop"}""",
        await LineAsync(new() { Fields = ["status", "path", "route"] }, LogFixture.Full()));

    [Fact]
    public async Task RedactQuery_LeavesEveryQueryOut()
    {
        AccessLogConfig config = new() { RedactQuery = true, Fields = ["path", "query", "referer"] };
        Assert.Equal("""{"path":"/api/x","query":null,"referer":"https://example.com/from"}""", await LineAsync(config, LogFixture.Full()));
        config = new() { RedactQuery = true, Format = AccessLogFormat.Combined };
        Assert.DoesNotContain("?", await LineAsync(config, LogFixture.Full()));
    }

    [Fact]
    public async Task AnIPv4ClientOfASocketForBoth_IsWrittenAsIPv4()
    {
        AccessLogEntry entry = LogFixture.Full();
        entry.ClientIp = IPAddress.Parse("::ffff:192.0.2.9");
        Assert.Equal("""{"clientIp":"192.0.2.9"}""", await LineAsync(new() { Fields = ["clientIp"] }, entry));
        entry.ClientIp = IPAddress.Parse("2001:db8::1");
        Assert.Equal("""{"clientIp":"2001:db8::1"}""", await LineAsync(new() { Fields = ["clientIp"] }, entry));
    }

    public static TheoryData<string> Attacks => new(
        "/\r\n127.0.0.1 - - [x] \"GET /fake HTTP/1.1\" 200 1", "/\n{\"status\":200}", "/\0\u0001\u001b[31mred\u007f\u0085", "/\u2028\u2029", "/\ud800x\udc00", "/\"},{\"a\":\"b\\", "/ü€😀", "/a b\tc", "/\\\"");

    [Theory]
    [MemberData(nameof(Attacks))]
    public async Task WhateverAClientSends_StaysInItsField(string text)
    {
        AccessLogEntry entry = LogFixture.Full();
        (entry.Target, entry.PathLength, entry.Host, entry.Method, entry.UserAgent, entry.Referer, entry.Sni) = (text + "?" + text, text.Length, text, text, text, text, text);
        string well = text.Replace("\ud800x\udc00", "\ufffdx\ufffd");

        string json = await LineAsync(new(), entry);
        using JsonDocument document = JsonDocument.Parse(json);
        Assert.Equal(well, document.RootElement.GetProperty("path").GetString());
        Assert.Equal(well, document.RootElement.GetProperty("query").GetString());
        Assert.Equal(well, document.RootElement.GetProperty("sni").GetString());
        Assert.Equal(502, document.RootElement.GetProperty("status").GetInt32());
        Assert.Equal(AccessLogFields.All.Length, document.RootElement.EnumerateObject().Count());
        Assert.DoesNotContain(json, static c => c is < ' ' or '\u007f' or '\u0085' or '\u2028' or '\u2029');

        string combined = await LineAsync(new() { Format = AccessLogFormat.Combined }, entry);
        Assert.DoesNotContain(combined, static c => c is < ' ' or > '~');
        // Six quotes of the format itself, and in the request line two spaces.
        Assert.Equal(6, combined.Count(static c => c == '"'));
        Assert.Equal(2, combined.Split('"')[1].Count(static c => c == ' '));
    }

    [Fact]
    public async Task AHeaderInUtf8_IsReadable_AndOneInLatin1Too()
    {
        AccessLogEntry entry = LogFixture.Full();
        AccessLogConfig config = new() { Fields = ["userAgent"] };
        entry.UserAgent = "b\u00c3\u00bccher";
        Assert.Equal("""{"userAgent":"bücher"}""", await LineAsync(config, entry));
        entry.UserAgent = "b\u00fccher";
        Assert.Equal("""{"userAgent":"bücher"}""", await LineAsync(config, entry));
        entry.UserAgent = "b\u00c3\u00bccher";
        Assert.EndsWith("\"b\\xC3\\xBCcher\"", await LineAsync(new() { Format = AccessLogFormat.Combined }, entry));
    }

    [Theory]
    [InlineData("/a?access_token=S3CRET&b=1", "/a?access_token=***&b=1")]
    [InlineData("/a?Access%5FToken=S3CRET", "/a?Access%5FToken=***")]
    [InlineData("/a?x=1&api-key=S3CRET", "/a?x=1&api-key=***")]
    [InlineData("/a?user[password]=S3CRET;y=2", "/a?user[password]=***;y=2")]
    [InlineData("/cb?code=S3CRET&state=xyz", "/cb?code=***&state=xyz")]
    [InlineData("/o?X-Amz-Signature=S3CRET&X-Amz-Date=1", "/o?X-Amz-Signature=***&X-Amz-Date=1")]
    [InlineData("/a?token=S3CRET=S3CRET==", "/a?token=***")]
    [InlineData("/a?token", "/a?token")]
    [InlineData("/a?=x&&&keyboard=us&tok=1", "/a?=x&&&keyboard=us&tok=1")]
    [InlineData("/a;jsessionid=S3CRET/b;v=1?c=d", "/a;jsessionid=***/b;v=1?c=d")]
    [InlineData("http://user:S3CRET@host/p?q=1", "http://host/p?q=1")]
    [InlineData("http://user:S3CR@ET@host", "http://host")]
    [InlineData("/mail/a@b://c@d", "/mail/a@b://c@d")]
    public async Task Credentials_NeverAppear(string target, string logged)
    {
        int query = target.IndexOf('?');
        AccessLogEntry entry = LogFixture.Full();
        (entry.Target, entry.PathLength) = (target, query < 0 ? target.Length : query);
        entry.Referer = "https://user:S3CRET@example.com/x?password=S3CRET#access_token=S3CRET";
        entry.Host = "user:S3CRET@shop.example.com";

        string combined = await LineAsync(new() { Format = AccessLogFormat.Combined }, entry);
        Assert.Contains($"\"GET {logged} HTTP/2\"", combined);
        Assert.Contains("\"https://example.com/x?password=***\"", combined);
        string json = await LineAsync(new(), entry);
        Assert.DoesNotContain("S3CR", combined + json);
        Assert.Contains("\"host\":\"shop.example.com\"", json);
    }
}
