using System.Net;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.Logging;

namespace Gateway.Bench.Load;

internal static class SlowOrigin
{
    private static readonly byte[] Body = new byte[130];

    public static async Task<int> RunAsync(int port, int delayMilliseconds)
    {
        Array.Fill(Body, (byte)'x');
        WebApplicationBuilder builder = WebApplication.CreateSlimBuilder();
        builder.Logging.ClearProviders();
        // A thousand connections come at once; what finds no room is sent again a second later.
        builder.WebHost.UseSockets(static sockets => sockets.Backlog = 8192);
        builder.WebHost.ConfigureKestrel(kestrel => kestrel.Listen(IPAddress.Loopback, port));
        WebApplication app = builder.Build();
        app.Run(async context =>
        {
            await Task.Delay(delayMilliseconds);
            context.Response.ContentLength = Body.Length;
            await context.Response.Body.WriteAsync(Body);
        });
        await app.RunAsync();
        return 0;
    }
}
