using System.Text;
using Gateway.TestKit;
using Xunit;

namespace Gateway.Functional.Tests.Transport;

/// <summary>Requests and responses however the bytes come and go.</summary>
public sealed class RawBytesTests(TransportSites sites) : IClassFixture<TransportSites>
{
    public static TheoryData<string> Transports => TransportSites.Transports;

    private Task<RawHttpClient> ConnectAsync(string transport) => RawHttpClient.ConnectAsync(sites[transport].Listener());

    private static readonly (string Request, string Answer)[] Requests =
    [
        ("GET /a?b=c HTTP/1.1\r\nHost: h\r\n\r\n", "GET /a?b=c "),
        ("POST /length HTTP/1.1\r\nHost: h\r\nContent-Length: 5\r\n\r\nhello", "POST /length hello"),
        ("POST /chunks HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n2;x=y\r\nde\r\n0\r\n\r\n", "POST /chunks abcde"),
    ];

    [Theory]
    [MemberData(nameof(Transports))]
    public async Task ARequest_IsReadWhereverItIsSplit(string transport)
    {
        foreach ((string request, string answer) in Requests)
        {
            for (int split = 1; split < request.Length; split++)
            {
                // One of its own: after the first request that came in two parts, a connection is Kestrel's for good.
                await using RawHttpClient client = await ConnectAsync(transport);
                await client.SendAsync(request[..split]);
                await Task.Yield();
                await client.SendAsync(request[split..]);
                Assert.Equal((split, answer), (split, (await client.ReadResponseAsync()).Text));
            }
        }
    }

    [Theory]
    [MemberData(nameof(Transports))]
    public async Task ASlowWriter_IsHeardOut(string transport)
    {
        await using RawHttpClient client = await ConnectAsync(transport);
        foreach ((string request, string answer) in Requests)
        {
            foreach (char one in request) await client.SendAsync(one.ToString());
            Assert.Equal(answer, (await client.ReadResponseAsync()).Text);
        }
    }

    [Theory]
    [MemberData(nameof(Transports))]
    public async Task PipelinedRequests_AreAnsweredInOrderHoweverTheyAreCut(string transport)
    {
        var all = new StringBuilder();
        var answers = new List<string>();
        for (int i = 0; i < 60; i++)
        {
            (string request, string answer) = Requests[i % Requests.Length];
            all.Append(request.Replace(" HTTP/1.1", $"/{i} HTTP/1.1", StringComparison.Ordinal));
            string[] words = answer.Split(' ');
            answers.Add($"{words[0]} {words[1]}/{i} {words[2]}");
        }
        string stream = all.ToString();
        foreach (int piece in (int[])[stream.Length, 1000, 97])
        {
            await using RawHttpClient client = await ConnectAsync(transport);
            Task sending = SendAsync(client, stream, piece);
            foreach (string answer in answers) Assert.Equal(answer, (await client.ReadResponseAsync()).Text);
            await sending;
        }

        static async Task SendAsync(RawHttpClient client, string stream, int piece)
        {
            for (int at = 0; at < stream.Length; at += piece) await client.SendAsync(stream[at..Math.Min(stream.Length, at + piece)]);
        }
    }

    [Theory]
    [MemberData(nameof(Transports))]
    public async Task AClientThatEndsItsDirection_AfterItsAnswers_IsClosedInOrder(string transport)
    {
        await using RawHttpClient client = await ConnectAsync(transport);
        await client.SendAsync("GET /one HTTP/1.1\r\nHost: h\r\n\r\n");
        Assert.Equal("GET /one ", (await client.ReadResponseAsync()).Text);
        client.HalfClose();
        Assert.Equal("", (await client.ReadEndAsync()).Remainder);
        Assert.Equal(WireEnd.Closed, client.End);
        await sites.QuietAsync(sites[transport]);
    }

    // RFC 9112 section 9.6 lets a client do so and still read. But this is also all that is seen of one that has closed, and an upstream that works
    // for nobody is worse: as nginx, Envoy and Go's server see it.
    [Theory]
    [MemberData(nameof(Transports))]
    public async Task AClientThatEndsItsDirection_BeforeItsAnswer_HasLeft(string transport)
    {
        await using RawHttpClient client = await ConnectAsync(transport);
        string id = $"ended-{transport}";
        await client.SendAsync($"GET /hold HTTP/1.1\r\nHost: h\r\nId: {id}\r\n\r\n");
        RawConnection upstream = await sites.ArrivedAsync(id);
        client.HalfClose();
        Assert.Equal("", (await client.ReadEndAsync()).Remainder);
        await Eventually.Until("the origin sees the end", () => upstream.End != WireEnd.Open);
        await sites.QuietAsync(sites[transport]);
    }

    [Theory]
    [MemberData(nameof(Transports))]
    public async Task AUpload_GoesOnPastWhatBuffersHold(string transport)
    {
        await using RawHttpClient client = await ConnectAsync(transport);
        byte[] body = new byte[4 * 1024 * 1024];
        Array.Fill(body, (byte)'x');
        await client.SendAsync($"POST /upload HTTP/1.1\r\nHost: h\r\nContent-Length: {body.Length}\r\n\r\n");
        await client.SendAsync(body);
        Assert.Equal("POST /upload ".Length + body.Length, (await client.ReadResponseAsync()).Body.Length);
    }
}
