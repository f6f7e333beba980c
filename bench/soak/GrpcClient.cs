using System.Globalization;
using Gateway.TestKit;

namespace Gateway.Bench.Soak;

/// <summary>A gRPC call of the two-way kind, one after the other over a connection: some messages and their echoes, each waited for.</summary>
internal sealed class GrpcClient(Uri web) : SoakClient
{
    private const int Messages = 5;

    private readonly HttpMessageInvoker _invoker = GrpcCall.Client();

    public override async Task<string> ActAsync()
    {
        await using GrpcCall call = GrpcCall.Start(_invoker, web, "/test.Echo/Bidi", SoakSite.GrpcHost);
        for (int i = 0; i < Messages; i++)
        {
            string text = $"message {i}";
            await call.WriteAsync(text);
            if (await call.ReadAsync() is var echoed && echoed != "echo: " + text) return $"'{echoed}' for '{text}'";
        }
        call.CompleteRequests();
        return (await call.EndAsync()).Status?.ToString(CultureInfo.InvariantCulture) ?? "no status";
    }

    public override ValueTask DisposeAsync()
    {
        _invoker.Dispose();
        return ValueTask.CompletedTask;
    }
}
