using System.Net.Sockets;

namespace Gateway.DataPlane.Server;

/// <summary>The file that a unix socket leaves behind: bind fails while it exists, whether or not anyone still listens.</summary>
internal static class UnixSocketFile
{
    /// <summary>
    /// Removes what a process that is gone has left: only a socket, and only when a connect is refused. A listening process, and any
    /// other kind of file, is left alone and makes the bind fail.
    /// </summary>
    public static void RemoveStale(string path)
    {
        if (!IsSocket(path)) return;
        using Socket probe = new(AddressFamily.Unix, SocketType.Stream, ProtocolType.Unspecified);
        try
        {
            probe.Connect(new UnixDomainSocketEndPoint(path));
        }
        catch (SocketException refused) when (refused.SocketErrorCode == SocketError.ConnectionRefused)
        {
            Remove(path);
        }
        catch (SocketException)
        {
            // Not ours to judge (no permission, backlog full): bind will say.
        }
    }

    public static void Remove(string path)
    {
        try
        {
            if (IsSocket(path)) File.Delete(path);
        }
        catch (Exception failure) when (failure is IOException or UnauthorizedAccessException)
        {
            // The next bind finds it stale and tries again.
        }
    }

    // .NET does not tell a socket from a regular file, but opening a socket fails (ENXIO), and an empty regular file opens.
    private static bool IsSocket(string path)
    {
        FileInfo file = new(path);
        if (!file.Exists || file.LinkTarget is not null || file.Length != 0) return false;
        try
        {
            using (File.OpenHandle(path)) return false;
        }
        catch (IOException)
        {
            return true;
        }
        catch (UnauthorizedAccessException)
        {
            return false;
        }
    }
}
