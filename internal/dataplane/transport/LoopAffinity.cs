using Microsoft.AspNetCore.Connections;

namespace Gateway.DataPlane.Transport;

/// <summary>
/// Kestrel starts every connection on the thread pool; this brings it to the loop that its socket lives on, where it then stays. Must come
/// before TLS, whose reads and writes are to be there too.
/// </summary>
internal static class LoopAffinity
{
    public static ConnectionDelegate Middleware(ConnectionDelegate next) => connection =>
        connection.Features.Get<ILoopFeature>() is { } feature ? OnLoopAsync(feature.Loop, connection, next) : next(connection);

    private static async Task OnLoopAsync(EventLoop loop, ConnectionContext connection, ConnectionDelegate next)
    {
        await loop.Switch();
        await next(connection);
    }
}
