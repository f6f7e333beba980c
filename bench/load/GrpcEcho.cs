using System.Buffers;
using System.IO.Pipelines;
using System.Net;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Server.Kestrel.Core;
using Microsoft.Extensions.Logging;

namespace Gateway.Bench.Load;

/// <summary>An upstream of gRPC in clear text: sends back each message as it comes, and ends with status 0 when the client ends.</summary>
internal static class GrpcEcho
{
    public static async Task<int> RunAsync(int port)
    {
        WebApplicationBuilder builder = WebApplication.CreateSlimBuilder();
        builder.Logging.ClearProviders();
        builder.WebHost.ConfigureKestrel(kestrel =>
        {
            kestrel.Limits.Http2.MaxStreamsPerConnection = 1000;
            kestrel.Listen(IPAddress.Loopback, port, l => l.Protocols = HttpProtocols.Http2);
        });
        WebApplication app = builder.Build();
        app.Run(static async context =>
        {
            context.Response.ContentType = "application/grpc";
            await context.Response.StartAsync();
            PipeReader messages = context.Request.BodyReader;
            while (true)
            {
                ReadResult read = await messages.ReadAsync();
                foreach (ReadOnlyMemory<byte> part in read.Buffer) context.Response.BodyWriter.Write(part.Span);
                bool any = !read.Buffer.IsEmpty;
                messages.AdvanceTo(read.Buffer.End);
                if (any) await context.Response.BodyWriter.FlushAsync();
                if (read.IsCompleted) break;
            }
            context.Response.AppendTrailer("grpc-status", "0");
        });
        await app.RunAsync();
        return 0;
    }
}
