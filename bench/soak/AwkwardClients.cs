using Gateway.TestKit;

namespace Gateway.Bench.Soak;

/// <summary>Takes about a second for a megabyte, so that the gateway has to hold the origin back.</summary>
internal sealed class SlowReader(Uri web) : SoakClient
{
    private const int Bytes = 1_000_000;
    private const int Piece = 20_000;

    public override async Task<string> ActAsync()
    {
        await using RawHttpClient client = await RawHttpClient.ConnectAsync(web);
        await client.SendAsync($"GET /bytes/{Bytes} HTTP/1.1\r\nHost: good.test\r\nConnection: close\r\n\r\n");
        if (await client.ReadHeadAsync() is not { } head) return "no response";
        int got = 0;
        for (int read = Piece; read == Piece; got += read)
        {
            read = (await client.ReadAsync(Piece)).Length;
            await Task.Delay(20);
        }
        return head.Status == 200 && got != Bytes ? $"200 with {got} bytes" : $"{head.Status}";
    }
}

/// <summary>Is gone before the end, each time at another place. What the gateway makes of that is its own affair, as long as it loses nothing by it.</summary>
internal sealed class LeavingClient(Uri web) : SoakClient
{
    private int _turn;

    public override async Task<string> ActAsync()
    {
        await using RawHttpClient client = await RawHttpClient.ConnectAsync(web);
        try { await LeaveAsync(client); }
        catch (IOException)
        {
            // The gateway was the first to go.
        }
        client.Reset();
        return "left";
    }

    private async Task LeaveAsync(RawHttpClient client)
    {
        switch (_turn++ % 6)
        {
            case 0:
                await client.SendAsync("GET /bytes/10 HTTP/1.1\r\nHost: go");
                break;
            case 1:
                await client.SendAsync("GET /bytes/1000000 HTTP/1.1\r\nHost: good.test\r\n\r\n");
                _ = await client.ReadAsync(30_000);
                break;
            case 2:
                await client.SendAsync($"POST /sink HTTP/1.1\r\nHost: good.test\r\nContent-Length: 100000\r\n\r\n{new string('u', 40_000)}");
                break;
            case 3:
                await client.SendAsync("POST /sink HTTP/1.1\r\nHost: good.test\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhel");
                break;
            case 4:
                await client.SendAsync("GET / HTTP/1.1\r\nHost: hangs.test\r\n\r\n");
                await Task.Delay(50);
                break;
            default:
                await client.SendAsync("GET /bytes/10 HTTP/1.1\r\nHost: good.test\r\n\r\n");
                client.HalfClose();
                _ = await client.ReadSomeAsync();
                break;
        }
    }
}
