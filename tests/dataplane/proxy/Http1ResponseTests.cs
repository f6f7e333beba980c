using System.Net;
using System.Text;
using Gateway.Core.Http1;
using Gateway.DataPlane.Proxy.Http1;
using Gateway.DataPlane.Transport;
using Gateway.TestKit;
using Microsoft.Extensions.Logging.Abstractions;
using Xunit;

namespace Gateway.DataPlane.Tests.Proxy;

public sealed class Http1ResponseTests : IDisposable
{
    private readonly EventLoop _loop = new("test", NullLogger.Instance);

    public Http1ResponseTests() => _loop.Start();

    public void Dispose() => _loop.Stop();

    private async Task<LoopConnection> AskAsync(RawOrigin origin, char which)
    {
        (LoopConnection connection, ValueTask<bool> connected) = LoopConnection.Connect(_loop, new IPEndPoint(IPAddress.Loopback, origin.Port));
        Assert.True(await connected);
        Assert.True(await connection.SendAsync(new[] { (byte)which }));
        return connection;
    }

    private static string FieldsOf(Http1Response response)
    {
        var text = new StringBuilder();
        ReadOnlySpan<byte> bytes = response.HeadBytes;
        foreach (ref readonly HeaderField field in response.Fields)
            text.Append(Encoding.ASCII.GetString(field.Name(bytes))).Append('=').Append(Encoding.ASCII.GetString(field.Value(bytes))).Append(' ');
        return text.ToString();
    }

    [Fact]
    public async Task TheFieldsOfAHead_AreItsOwn_AlsoWhenOthersWereReadSince()
    {
        await using RawOrigin origin = RawOrigin.Start(async c =>
        {
            char which = (char)(await c.ReadAsync(1))[0];
            await c.SendAsync(which switch
            {
                'a' => "HTTP/1.1 200 OK\r\nServer: a\r\nContent-Length: 1\r\n\r\na",
                'b' => "HTTP/1.1 200 OK\r\nX-Long-Name-Of-Another: something else\r\nContent-Length: 1\r\nX-More: 1\r\n\r\nb",
                _ => "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nc\r\n0\r\nX-Trailer: t\r\nX-Other: u\r\n\r\n",
            });
            await c.WaitForEndAsync();
        });
        await _loop.Switch();
        Http1Response a = new(), b = new(), c = new();
        Http1Response[] all = [a, b, c];
        List<LoopConnection> connections = [];
        for (int i = 0; i < all.Length; i++)
        {
            connections.Add(await AskAsync(origin, "abc"[i]));
            all[i].Begin(connections[i]);
            Assert.Equal(ParseStatus.Complete, await all[i].ReadHeadAsync(toHead: false));
        }
        Assert.Equal("Server=a Content-Length=1 ", FieldsOf(a));
        Assert.Equal("X-Long-Name-Of-Another=something else Content-Length=1 X-More=1 ", FieldsOf(b));
        // Trailers are parsed into the same place.
        while (await c.ReadAsync(new byte[16]) > 0)
        {
        }
        Assert.Equal(2, c.Trailers.Count);
        Assert.Equal("X-Long-Name-Of-Another=something else Content-Length=1 X-More=1 ", FieldsOf(b));
        Assert.Equal("Server=a Content-Length=1 ", FieldsOf(a));
        foreach (Http1Response response in all) response.End();
        foreach (LoopConnection connection in connections) connection.Close(reset: false);
    }
}
