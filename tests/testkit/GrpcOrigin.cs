using System.Globalization;
using System.Text;
using Microsoft.AspNetCore.Http;

namespace Gateway.TestKit;

/// <summary>
/// gRPC-shaped endpoints over HTTP/2 without a gRPC library: <c>/test.Echo/Unary</c> answers "echo: MESSAGE"; <c>/ServerStream</c> answers
/// as many messages as the request says, each after a pass of <c>x-gate</c> when that header names a gate; <c>/ClientStream</c> joins what it
/// got; <c>/Bidi</c> echoes each message as it comes; <c>/TrailersOnly</c> ends with status 5 in the headers; <c>/Deadline</c> answers the
/// grpc-timeout it saw; <c>/Fail</c> ends with the status in <c>x-status</c> after one message; <c>/Hang</c> answers never.
/// </summary>
internal static class GrpcOrigin
{
    public static async Task ServeAsync(HttpOrigin origin, HttpContext http)
    {
        http.Response.ContentType = "application/grpc";
        Stream requests = http.Request.Body;
        CancellationToken aborted = http.RequestAborted;
        string status = "0", message = "";
        switch (http.Request.Path.Value)
        {
            case "/test.Echo/Unary":
                await SendAsync(http, "echo: " + Encoding.UTF8.GetString(await GrpcFrames.ReadAsync(requests, aborted) ?? []));
                break;
            case "/test.Echo/ServerStream":
                int count = int.Parse(Encoding.UTF8.GetString(await GrpcFrames.ReadAsync(requests, aborted) ?? []), CultureInfo.InvariantCulture);
                await http.Response.Body.FlushAsync(aborted);
                for (int i = 1; i <= count; i++)
                {
                    if (http.Request.Headers["x-gate"].FirstOrDefault() is { } gate) await origin.Gate(gate).PassAsync(aborted);
                    await SendAsync(http, i.ToString(CultureInfo.InvariantCulture));
                }
                break;
            case "/test.Echo/ClientStream":
                var all = new List<string>();
                while (await GrpcFrames.ReadAsync(requests, aborted) is { } part) all.Add(Encoding.UTF8.GetString(part));
                await SendAsync(http, string.Join(",", all));
                break;
            case "/test.Echo/Bidi":
                await http.Response.Body.FlushAsync(aborted);
                while (await GrpcFrames.ReadAsync(requests, aborted) is { } each) await SendAsync(http, "echo: " + Encoding.UTF8.GetString(each));
                break;
            case "/test.Echo/Deadline":
                await SendAsync(http, http.Request.Headers["grpc-timeout"].ToString());
                break;
            case "/test.Echo/Fail":
                await SendAsync(http, "before the failure");
                status = http.Request.Headers["x-status"].FirstOrDefault() ?? "13";
                message = "as asked";
                break;
            case "/test.Echo/Hang":
                await origin.Gate("grpc-hang").PassAsync(aborted);
                break;
            default:
                // Trailers-only: the status comes in the one and only header block.
                http.Response.Headers["grpc-status"] = "5";
                http.Response.Headers["grpc-message"] = "no such thing";
                return;
        }
        http.Response.AppendTrailer("grpc-status", status);
        if (message.Length > 0) http.Response.AppendTrailer("grpc-message", message);
        http.Response.AppendTrailer("x-origin-trailer", origin.Id);
    }

    private static async Task SendAsync(HttpContext http, string message)
    {
        await http.Response.Body.WriteAsync(GrpcFrames.Frame(Encoding.UTF8.GetBytes(message)), http.RequestAborted);
        await http.Response.Body.FlushAsync(http.RequestAborted);
    }
}
